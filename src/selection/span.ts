import { DepthkitError } from "../errors.ts";

/** A run of consecutive blocks, and how far it turns the residual stream. */
export interface Span {
  /** The first block of the run. */
  start: number;
  length: number;
  /** Mean angular distance between the run's input and output, in units of pi. */
  distance: number;
}

/**
 * The run of `length` blocks whose input and output are nearest by angle (arXiv 2403.17887, eq. 6).
 * `angular[n - 1][l]` is the distance across the n blocks from block l.
 */
export function leastSpan(angular: readonly (readonly number[])[], length: number): Span {
  const distances = angular[length - 1];
  if (distances === undefined || distances.length === 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Cannot choose a span of ${length} blocks; ask for a whole number from 1 to ${angular.length}.`,
    );
  }
  let start = 0;
  let distance = Number.POSITIVE_INFINITY;
  for (const [index, value] of distances.entries()) {
    if (value < distance) [start, distance] = [index, value];
  }
  return { start, length, distance };
}
