import jStat from "jstat";

/** The quantile of Student's t; the normal one from 1000 degrees of freedom on, where they agree to 0.15%. */
export function tQuantile(probability: number, degrees: number): number {
  return degrees >= 1000
    ? jStat.normal.inv(probability, 0, 1)
    : jStat.studentt.inv(probability, Math.max(1, degrees));
}

/** Ranks from 1, ties sharing their mean rank. */
export function ranksOf(values: ArrayLike<number>): number[] {
  return jStat.rank(Array.from(values));
}

/** Pearson's correlation; NaN where one side does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  return jStat.corrcoeff(a, b);
}

/** The indices in ascending order of their values, the lower index first among equals. */
export function ascending(values: ArrayLike<number>): number[] {
  return Array.from(values, (_, i) => i).sort(
    (a, b) => (values[a] as number) - (values[b] as number) || a - b,
  );
}
