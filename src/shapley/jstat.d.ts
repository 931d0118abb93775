/** The part of jstat that is used; the package ships no types. */
declare module "jstat" {
  interface Distribution<Parameters extends number[]> {
    cdf(x: number, ...parameters: Parameters): number;
    inv(p: number, ...parameters: Parameters): number;
  }
  const jStat: {
    readonly studentt: Distribution<[degreesOfFreedom: number]>;
    readonly normal: Distribution<[mean: number, sd: number]>;
    rank(values: readonly number[]): number[];
    corrcoeff(a: readonly number[], b: readonly number[]): number;
    spearmancoeff(a: readonly number[], b: readonly number[]): number;
  };
  // biome-ignore lint/style/noDefaultExport: it is how the package exports itself.
  export default jStat;
}
