import { add, real } from "../arrays.ts";
import { ranking } from "../ranks.ts";
import type { ValueDraft } from "./draft.ts";
import { randomStream } from "./random.ts";
import { choleskyInPlace } from "./surrogate/cholesky.ts";

const simulations = 2000;

export interface LowestProbabilities {
  /** Per player, the chance of being among the k lowest. */
  readonly each: Float64Array;
  /** The chance that the k with the lowest estimates are, as a set, the k lowest. */
  readonly together: number;
}

/**
 * How sure the lowest k are, by simulating the estimates' joint sampling distribution around what was found: normal,
 * with the covariance of the draft, widened to Student's t by one chi-square draw for all players at once.
 */
export function lowestProbabilities(draft: ValueDraft, k: number): LowestProbabilities {
  const { estimate } = draft;
  const players = estimate.length;
  const factors = compress(draft.factors, players);
  const each = new Float64Array(players);
  const chosen = new Set(ranking(estimate).slice(0, k));
  if (factors.length === 0) {
    for (const i of chosen) each[i] = 1;
    return { each, together: 1 };
  }
  const random = randomStream(0, "lowest");
  const degrees = draft.degrees.reduce((least, d) => Math.min(least, d), Number.POSITIVE_INFINITY);
  let together = 0;
  const values = new Float64Array(players);
  for (let simulation = 0; simulation < simulations; simulation++) {
    values.set(estimate);
    const widening = Number.isFinite(degrees) ? 1 / Math.sqrt(chiSquareMean(degrees, random.normal())) : 1;
    for (const row of factors) {
      const z = random.normal() * widening;
      for (let i = 0; i < players; i++) add(values, i, z * real(row, i));
    }
    const lowest = ranking(values).slice(0, k);
    for (const i of lowest) add(each, i, 1 / simulations);
    if (lowest.every((i) => chosen.has(i))) together += 1 / simulations;
  }
  return { each, together };
}

/** As few rows as there are players, with the same covariance: the columns of its Cholesky factor. */
function compress(factors: readonly Float64Array[], players: number): readonly Float64Array[] {
  if (factors.length <= players) return factors;
  const covariance = new Float64Array(players * players);
  let trace = 0;
  for (const row of factors) {
    for (let i = 0; i < players; i++) {
      const x = real(row, i);
      trace += x * x;
      for (let j = 0; j <= i; j++) {
        add(covariance, i * players + j, x * real(row, j));
      }
    }
  }
  // Efficiency makes the matrix singular; a speck on the diagonal carries the factorisation over that.
  for (let i = 0; i < players; i++) {
    add(covariance, i * players + i, 1e-12 * trace);
  }
  if (!choleskyInPlace(covariance, players)) return factors;
  return Array.from({ length: players }, (_, column) =>
    Float64Array.from({ length: players }, (_, i) =>
      i < column ? 0 : real(covariance, i * players + column),
    ),
  );
}

/** A chi-square over its degrees of freedom, by Wilson and Hilferty's cube. */
function chiSquareMean(degrees: number, z: number): number {
  const spread = 2 / (9 * degrees);
  return Math.max(1e-3, 1 - spread + z * Math.sqrt(spread)) ** 3;
}
