import { add, item, real, whole } from "../../arrays.ts";
import { choleskyInPlace, choleskyInverse, choleskySolve } from "./cholesky.ts";
import { baseOf, type KernelParameters, type Point } from "./kernel.ts";

/**
 * Variance of the constant every model starts with, relative to that of the data: large, so hardly a prior.
 */
export const constantVariance = 100;

/**
 * Hyperparameters as one vector: log product, n log scales, n logits of correlations, log linear, pairwise,
 * noise.
 */
export function parametersOf(theta: Float64Array): KernelParameters {
  const n = (theta.length - 4) / 2;
  return {
    product: Math.exp(real(theta, 0)),
    logScale: theta.slice(1, n + 1),
    logCorrelation: theta.slice(n + 1, 2 * n + 1).map((logit) => -Math.log1p(Math.exp(-logit))),
    linear: Math.exp(real(theta, 2 * n + 1)),
    pairwise: Math.exp(real(theta, 2 * n + 2)),
    noise: Math.exp(real(theta, 2 * n + 3)),
  };
}

/**
 * Where the search starts, which is also the mean of the normal prior on the vector, and that prior's spread.
 */
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

/**
 * The evidence of hyperparameters given some coalitions and their values: Rasmussen and Williams, Gaussian
 * Processes for Machine Learning, equations 5.8 and 5.9, plus the prior. What the points share is found once,
 * the buffers serve every call.
 */
export class EvidenceProblem {
  readonly #points: readonly Point[];
  readonly #y: Float64Array;
  readonly #prior: ReturnType<typeof priorOf>;
  /** The absent players common to points a >= b, pair after pair, and where each pair's begin. */
  readonly #shared: Uint16Array;
  readonly #starts: Uint32Array;
  readonly #product: Float64Array;
  readonly #factor: Float64Array;

  constructor(players: number, points: readonly Point[], y: Float64Array) {
    const m = points.length;
    this.#points = points;
    this.#y = y;
    this.#prior = priorOf(players);
    this.#product = new Float64Array(m * m);
    this.#factor = new Float64Array(m * m);
    const shared: number[] = [];
    this.#starts = new Uint32Array((m * (m + 1)) / 2 + 1);
    let pair = 0;
    for (let a = 0; a < m; a++) {
      for (let b = 0; b <= a; b++) {
        const { mask } = item(points, b);
        for (const i of item(points, a).absent) if (mask[i] === 1) shared.push(i);
        this.#starts[++pair] = shared.length;
      }
    }
    this.#shared = Uint16Array.from(shared);
  }

  /** Undefined where the covariance matrix is not positive definite. */
  at(theta: Float64Array): Evidence | undefined {
    const m = this.#points.length;
    const n = (theta.length - 4) / 2;
    const parameters = parametersOf(theta);
    const factor = this.#covariances(parameters);
    if (!choleskyInPlace(factor, m)) return undefined;
    const alpha = choleskySolve(factor, m, this.#y);
    let value = 0;
    for (let a = 0; a < m; a++) {
      value += 0.5 * real(this.#y, a) * real(alpha, a) + Math.log(real(factor, a * m + a));
    }
    const gradient = this.#gradient(parameters, alpha, choleskyInverse(factor, m), n);
    for (let i = 0; i < theta.length; i++) {
      const spread = real(this.#prior.spread, i);
      const z = (real(theta, i) - real(this.#prior.mean, i)) / spread;
      value += 0.5 * z * z;
      add(gradient, i, z / spread);
    }
    return { value, gradient };
  }

  #covariances(parameters: KernelParameters): Float64Array {
    const m = this.#points.length;
    const { logCorrelation, product, linear, pairwise, noise } = parameters;
    const bases = Float64Array.from(this.#points, (point) => baseOf(parameters, point));
    const shared = this.#shared;
    const starts = this.#starts;
    let pair = 0;
    for (let a = 0; a < m; a++) {
      for (let b = 0; b <= a; b++, pair++) {
        const start = whole(starts, pair);
        const end = whole(starts, pair + 1);
        let sum = 0;
        for (let s = start; s < end; s++) sum += real(logCorrelation, whole(shared, s));
        const k = product * Math.exp(real(bases, a) + real(bases, b) - 2 * sum);
        const count = end - start;
        this.#product[a * m + b] = k;
        this.#factor[a * m + b] =
          k + constantVariance + linear * count + (pairwise * count * (count - 1)) / 2;
      }
      const diagonal = a * m + a;
      this.#factor[diagonal] = real(this.#factor, diagonal) * (1 + 1e-9) + noise;
    }
    return this.#factor;
  }

  /** From dV/dK = (K^-1 - alpha alpha')/2; each pair of points is met once and counts twice. */
  #gradient(
    parameters: KernelParameters,
    alpha: Float64Array,
    inverse: Float64Array,
    n: number,
  ): Float64Array {
    const m = this.#points.length;
    const gradient = new Float64Array(2 * n + 4);
    const perPoint = new Float64Array(m);
    const shared = this.#shared;
    const starts = this.#starts;
    let byProduct = 0;
    let byLinear = 0;
    let byPairwise = 0;
    let byNoise = 0;
    let pair = 0;
    for (let a = 0; a < m; a++) {
      for (let b = 0; b <= a; b++, pair++) {
        const at = a * m + b;
        const once = real(inverse, at) - real(alpha, a) * real(alpha, b);
        const weight = a === b ? 0.5 * once : once;
        const start = whole(starts, pair);
        const end = whole(starts, pair + 1);
        const count = end - start;
        const g = weight * real(this.#product, at);
        byProduct += g;
        byLinear += weight * count;
        byPairwise += (weight * count * (count - 1)) / 2;
        if (a === b) byNoise += weight;
        add(perPoint, a, g);
        add(perPoint, b, g);
        for (let s = start; s < end; s++) {
          const i = n + 1 + whole(shared, s);
          add(gradient, i, -2 * g);
        }
      }
    }
    for (const [a, { absent }] of this.#points.entries()) {
      for (const i of absent) {
        add(gradient, 1 + i, real(perPoint, a));
        add(gradient, n + 1 + i, real(perPoint, a));
      }
    }
    for (let i = 0; i < n; i++) {
      // d log(correlation) / d logit = 1 - correlation.
      const slope = 1 - Math.exp(real(parameters.logCorrelation, i));
      gradient[n + 1 + i] = real(gradient, n + 1 + i) * slope;
    }
    gradient[0] = byProduct;
    gradient[2 * n + 1] = byLinear * parameters.linear;
    gradient[2 * n + 2] = byPairwise * parameters.pairwise;
    gradient[2 * n + 3] = byNoise * parameters.noise;
    return gradient;
  }
}
