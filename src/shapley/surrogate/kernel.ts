import type { Coalition } from "../../game/coalition.ts";

/** Numbers that shape the covariance between two coalitions' values. Variances are relative to that of the data. */
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

/** The product part's log standard deviation at a point times its correlation with the full coalition. */
export function baseOf(parameters: KernelParameters, point: Point): number {
  let base = 0;
  for (const i of point.absent) {
    base += (parameters.logScale[i] as number) + (parameters.logCorrelation[i] as number);
  }
  return base;
}

/**
 * The sum of three covariances over the absent players A and B of two coalitions: linear x |A and B|,
 * pairwise x C(|A and B|, 2), and product x a product over players of 1 (both have it), scale_i x correlation_i (one
 * has it), scale_i^2 (neither has). The product part is what a depth game looks like: a player whose absence changes
 * nothing has a scale and a correlation near 1 and drops out of the model; one whose absence breaks everything has a
 * scale near 0, after which the others hardly matter. `baseA` and `baseB` are the points' `baseOf`.
 */
export function covariance(
  parameters: KernelParameters,
  a: Point,
  baseA: number,
  b: Point,
  baseB: number,
): number {
  const { logCorrelation } = parameters;
  let common = 0;
  let shared = 0;
  for (const i of a.absent) {
    if (b.mask[i] === 1) {
      common++;
      shared += logCorrelation[i] as number;
    }
  }
  return (
    parameters.product * Math.exp(baseA + baseB - 2 * shared) +
    parameters.linear * common +
    (parameters.pairwise * common * (common - 1)) / 2
  );
}
