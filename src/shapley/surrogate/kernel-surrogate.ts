import { add, item, real } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import { type Functional, pairIndex } from "../functional.ts";
import { choleskyInPlace, choleskySolve } from "./cholesky.ts";
import { constantVariance, EvidenceProblem, parametersOf, priorOf } from "./evidence.ts";
import { covariance, type KernelParameters, type PlacedPoint, type Point, place, pointOf } from "./kernel.ts";
import { rprop } from "./rprop.ts";
import type { Surrogate } from "./surrogate.ts";

/** A Gaussian process over coalitions, fitted to what was evaluated. */
export class KernelSurrogate implements Surrogate {
  readonly parameters: KernelParameters;
  readonly #points: readonly PlacedPoint[];
  /** The coefficient of each point's covariance, in the value's unit. */
  readonly #alpha: Float64Array;
  readonly #constant: number;

  constructor(parameters: KernelParameters, points: readonly Point[], y: Float64Array) {
    const mean = y.reduce((sum, v) => sum + v, 0) / y.length;
    this.parameters = parameters;
    this.#points = points.map((point) => place(point, parameters));
    const m = points.length;
    const factor = new Float64Array(m * m);
    for (let noise = parameters.noise; ; noise = 10 * noise + 1e-9) {
      for (const [a, pointA] of this.#points.entries()) {
        let at = a * m;
        for (const pointB of this.#points) {
          factor[at++] = covariance(parameters, pointA, pointB) + constantVariance;
          if (pointB === pointA) break;
        }
        factor[a * m + a] = real(factor, a * m + a) * (1 + 1e-9) + noise;
      }
      if (choleskyInPlace(factor, m)) break;
    }
    this.#alpha = choleskySolve(
      factor,
      m,
      y.map((v) => v - mean),
    );
    this.#constant = mean + constantVariance * this.#alpha.reduce((sum, a) => sum + a, 0);
  }

  get description(): string {
    const { product, linear, pairwise, noise } = this.parameters;
    const share = (x: number) => x.toExponential(1);
    return (
      `Gaussian process on ${this.#points.length} coalitions: product ${share(product)}, linear ` +
      `${share(linear)}, pairwise ${share(pairwise)}, noise ${share(noise)} of the variance`
    );
  }

  predict(coalition: Coalition): number {
    const point = place(pointOf(coalition), this.parameters);
    let sum = this.#constant;
    let b = 0;
    for (const known of this.#points) {
      sum += real(this.#alpha, b++) * covariance(this.parameters, point, known);
    }
    return sum;
  }

  apply(functional: Functional): Float64Array {
    const { players } = functional;
    const { logScale, logCorrelation, product, linear, pairwise } = this.parameters;
    const sums = new Float64Array(functional.size);
    const lines = new Float64Array(players);
    const perPlayer = new Float64Array(players);
    for (const [b, { absent, mask, base }] of this.#points.entries()) {
      const alpha = real(this.#alpha, b);
      const factors = logScale.map((scale, i) =>
        Math.exp(scale + (mask[i] === 1 ? -1 : 1) * real(logCorrelation, i)),
      );
      functional.addProduct(sums, factors, alpha * product * Math.exp(base));
      for (const i of absent) {
        add(lines, i, alpha * linear);
        add(perPlayer, i, alpha * pairwise * (absent.length - 1));
      }
    }
    functional.addPolynomial(sums, lines, { perPlayer, all: () => this.#pairEffects(players) });
    return sums;
  }

  #pairEffects(players: number): Float64Array {
    const pairs = new Float64Array((players * (players - 1)) / 2);
    for (const [b, { absent }] of this.#points.entries()) {
      const effect = real(this.#alpha, b) * this.parameters.pairwise;
      for (const [at, first] of absent.entries()) {
        for (const second of absent.slice(at + 1)) add(pairs, pairIndex(players, first, second), effect);
      }
    }
    return pairs;
  }
}

export interface KernelFitLimits {
  /** Coalitions that the hyperparameters are fitted to. */
  readonly shape: number;
  /** Coalitions that the model passes through. */
  readonly points: number;
  readonly iterations: number;
}

export const defaultLimits: KernelFitLimits = { shape: 64, points: 512, iterations: 24 };

/**
 * Fits the hyperparameters by evidence to the first `shape` coalitions and the model to the first `points`.
 */
export function fitKernel(
  coalitions: readonly Coalition[],
  y: Float64Array,
  limits: KernelFitLimits = defaultLimits,
): KernelSurrogate {
  const players = item(coalitions, 0).players;
  const points = coalitions.slice(0, limits.points).map(pointOf);
  const prior = priorOf(players);
  const some = y.slice(0, Math.min(limits.shape, points.length));
  const mean = some.reduce((sum, v) => sum + v, 0) / some.length;
  const deviation = Math.sqrt(some.reduce((sum, v) => sum + (v - mean) ** 2, 0) / some.length);
  // Equal values are off their mean by rounding, which is nothing to fit.
  const spread = deviation > 1e-13 * Math.abs(mean) ? deviation : 0;
  const shapePoints = points.slice(0, some.length);
  const scaled = some.map((v) => (v - mean) / spread);
  const problem = new EvidenceProblem(players, shapePoints, scaled);
  const theta = spread > 0 ? rprop(prior.mean, (x) => problem.at(x), limits.iterations) : prior.mean;
  return new KernelSurrogate(parametersOf(theta), points, y.slice(0, points.length));
}
