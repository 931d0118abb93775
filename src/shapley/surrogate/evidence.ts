import { choleskyInPlace, choleskyInverse, choleskySolve } from "./cholesky.ts";
import { baseOf, type KernelParameters, type Point } from "./kernel.ts";

/** Variance of the constant every model starts with, relative to that of the data: large, so hardly a prior. */
export const constantVariance = 100;

/** Hyperparameters as one vector: log product, n log scales, n logits of correlations, log linear, pairwise, noise. */
export function parametersOf(theta: Float64Array): KernelParameters {
  const n = (theta.length - 4) / 2;
  return {
    product: Math.exp(theta[0] as number),
    logScale: theta.slice(1, n + 1),
    logCorrelation: theta.slice(n + 1, 2 * n + 1).map((logit) => -Math.log1p(Math.exp(-logit))),
    linear: Math.exp(theta[2 * n + 1] as number),
    pairwise: Math.exp(theta[2 * n + 2] as number),
    noise: Math.exp(theta[2 * n + 3] as number),
  };
}

/** Where the search starts, which is also the mean of the normal prior on the vector, and that prior's spread. */
export function priorOf(players: number): { readonly mean: Float64Array; readonly spread: Float64Array } {
  const fill = (product: number, scale: number, logit: number, rest: readonly [number, number, number]) =>
    Float64Array.of(
      product,
      ...new Array<number>(players).fill(scale),
      ...new Array<number>(players).fill(logit),
      ...rest,
    );
  return {
    mean: fill(0, -0.3, 1, [Math.log(0.02), Math.log(0.002), Math.log(1e-4)]),
    spread: fill(2, 1, 1, [2, 2, 2]),
  };
}

export interface Evidence {
  /** Minus the log posterior of the hyperparameters, up to a constant. */
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 5.8 and 5.9, plus the prior. */
export function evidenceOf(
  theta: Float64Array,
  points: readonly Point[],
  y: Float64Array,
): Evidence | undefined {
  const m = points.length;
  const n = (theta.length - 4) / 2;
  const parameters = parametersOf(theta);
  const { logCorrelation } = parameters;
  const bases = points.map((point) => baseOf(parameters, point));
  const product = new Float64Array(m * m);
  const common = new Float64Array(m * m);
  const factor = new Float64Array(m * m);
  for (let a = 0; a < m; a++) {
    const { absent } = points[a] as Point;
    for (let b = 0; b <= a; b++) {
      const { mask } = points[b] as Point;
      let count = 0;
      let shared = 0;
      for (const i of absent) {
        if (mask[i] === 1) {
          count++;
          shared += logCorrelation[i] as number;
        }
      }
      const at = a * m + b;
      const k = parameters.product * Math.exp((bases[a] as number) + (bases[b] as number) - 2 * shared);
      product[at] = k;
      common[at] = count;
      factor[at] =
        k + constantVariance + parameters.linear * count + (parameters.pairwise * count * (count - 1)) / 2;
    }
    const diagonal = a * m + a;
    factor[diagonal] = (factor[diagonal] as number) * (1 + 1e-9) + parameters.noise;
  }
  if (!choleskyInPlace(factor, m)) return undefined;
  const alpha = choleskySolve(factor, m, y);
  const weights = choleskyInverse(factor, m);
  let value = 0;
  for (let a = 0; a < m; a++) {
    value += 0.5 * (y[a] as number) * (alpha[a] as number) + Math.log(factor[a * m + a] as number);
  }
  // weights becomes (K^-1 - alpha alpha')/2, the derivative of the value by each entry of K; pairs are met once.
  const gradient = new Float64Array(theta.length);
  const perPoint = new Float64Array(m);
  let byProduct = 0;
  let byLinear = 0;
  let byPairwise = 0;
  let byNoise = 0;
  for (let a = 0; a < m; a++) {
    const { absent } = points[a] as Point;
    for (let b = 0; b <= a; b++) {
      const at = a * m + b;
      const weight =
        ((weights[at] as number) - (alpha[a] as number) * (alpha[b] as number)) * (a === b ? 0.5 : 1);
      const count = common[at] as number;
      const g = weight * (product[at] as number);
      byProduct += g;
      byLinear += weight * count;
      byPairwise += (weight * count * (count - 1)) / 2;
      if (a === b) byNoise += weight;
      perPoint[a] = (perPoint[a] as number) + g;
      perPoint[b] = (perPoint[b] as number) + g;
      if (count === 0) continue;
      const { mask } = points[b] as Point;
      for (const i of absent) {
        if (mask[i] === 1) gradient[n + 1 + i] = (gradient[n + 1 + i] as number) - 2 * g;
      }
    }
  }
  for (let a = 0; a < m; a++) {
    for (const i of (points[a] as Point).absent) {
      gradient[1 + i] = (gradient[1 + i] as number) + (perPoint[a] as number);
      gradient[n + 1 + i] = (gradient[n + 1 + i] as number) + (perPoint[a] as number);
    }
  }
  for (let i = 0; i < n; i++) {
    // d log(correlation) / d logit = 1 - correlation.
    gradient[n + 1 + i] = (gradient[n + 1 + i] as number) * (1 - Math.exp(logCorrelation[i] as number));
  }
  gradient[0] = byProduct;
  gradient[2 * n + 1] = byLinear * parameters.linear;
  gradient[2 * n + 2] = byPairwise * parameters.pairwise;
  gradient[2 * n + 3] = byNoise * parameters.noise;
  const prior = priorOf(n);
  for (let i = 0; i < theta.length; i++) {
    const z = ((theta[i] as number) - (prior.mean[i] as number)) / (prior.spread[i] as number);
    value += 0.5 * z * z;
    gradient[i] = (gradient[i] as number) + z / (prior.spread[i] as number);
  }
  return { value, gradient };
}
