import { real } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";

/**
 * Numbers that shape the covariance between two coalitions' values. Variances are relative to that of the
 * data.
 */
export interface KernelParameters {
  /** Variance of the product part at the full coalition. */
  readonly product: number;
  /** Per player: log of what its absence multiplies the product part's standard deviation by. */
  readonly logScale: Float64Array;
  /** Per player: log of the correlation, under the product part, between having it and lacking it. */
  readonly logCorrelation: Float64Array;
  /** Variance of each player's additive effect. */
  readonly linear: number;
  /** Variance of each pair's effect. */
  readonly pairwise: number;
  /** Variance of what no smooth model explains. */
  readonly noise: number;
}

/** A coalition as the kernel sees it: the players it lacks, ascending, and the same as 0s and 1s. */
export interface Point {
  readonly absent: readonly number[];
  readonly mask: Uint8Array;
}

export function pointOf(coalition: Coalition): Point {
  const absent = coalition.absent();
  const mask = new Uint8Array(coalition.players);
  for (const i of absent) mask[i] = 1;
  return { absent, mask };
}

/** A point under given parameters: `base` is its `baseOf`. */
export interface PlacedPoint extends Point {
  readonly base: number;
}

/** The product part's log standard deviation at a point times its correlation with the full coalition. */
export function baseOf(parameters: KernelParameters, point: Point): number {
  let base = 0;
  for (const i of point.absent) {
    base += real(parameters.logScale, i) + real(parameters.logCorrelation, i);
  }
  return base;
}

export function place({ absent, mask }: Point, parameters: KernelParameters): PlacedPoint {
  return { absent, mask, base: baseOf(parameters, { absent, mask }) };
}

/**
 * The sum of three covariances over the absent players A and B of two coalitions: linear x |A and B|,
 * pairwise x C(|A and B|, 2), and product x a product over players of 1 (both have it), scale_i x
 * correlation_i (one has it), scale_i^2 (neither has). The product part is what a depth game looks like: a
 * player whose absence changes nothing has a scale and a correlation near 1 and drops out of the model; one
 * whose absence breaks everything has a scale near 0, after which the others hardly matter.
 */
export function covariance(parameters: KernelParameters, a: PlacedPoint, b: PlacedPoint): number {
  const { logCorrelation } = parameters;
  let common = 0;
  let shared = 0;
  for (const i of a.absent) {
    if (b.mask[i] === 1) {
      common++;
      shared += real(logCorrelation, i);
    }
  }
  return (
    parameters.product * Math.exp(a.base + b.base - 2 * shared) +
    parameters.linear * common +
    (parameters.pairwise * common * (common - 1)) / 2
  );
}
