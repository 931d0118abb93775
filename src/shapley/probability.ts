import { add, real } from "../arrays.ts";
import { ranking, tieGroups } from "../ranks.ts";
import { randomStream } from "./random.ts";
import { choleskyInPlace } from "./surrogate/cholesky.ts";
import { choose } from "./target.ts";
import type { JudgedDraft } from "./unseen.ts";

const simulations = 2000;

export interface LowestProbabilities {
  /** The players of the k lowest, lowest first. */
  readonly chosen: readonly number[];
  /** Per player, the chance of being among the k lowest. */
  readonly each: Float64Array;
  /** The chance that the k with the lowest estimates are, as a set, the k lowest. */
  readonly together: number;
}

/**
 * How sure the lowest k are, by simulating the estimates' joint sampling distribution around what was found:
 * normal, with the covariance of the draft, widened to Student's t by one chi-square draw for all players at
 * once.
 */
export function lowestProbabilities(draft: JudgedDraft, k: number): LowestProbabilities {
  const { estimate } = draft;
  const players = estimate.length;
  const factors = compress(draft.factors, players);
  const each = new Float64Array(players);
  const { chosen, tied } = cut(draft, k);
  const set = new Set(chosen);
  if (factors.length === 0) {
    // Who ties across the cut shares the places there are, and any choice among them is one of many.
    const places = tied.filter((i) => set.has(i)).length;
    for (const i of chosen) each[i] = 1;
    for (const i of tied) each[i] = places / tied.length;
    return { chosen, each, together: 1 / choose(tied.length, places) };
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
    if (lowest.every((i) => set.has(i))) together += 1 / simulations;
  }
  return { chosen, each, together };
}

/** The k lowest by the estimate, ties in order of the players, and who ties across the cut behind them. */
export function cut({ estimate, rounding }: JudgedDraft, k: number): { chosen: number[]; tied: number[] } {
  const groups = tieGroups(estimate, rounding);
  let before = 0;
  const across = groups.find(({ length }) => {
    before += length;
    return before > k;
  });
  const tied = across !== undefined && before - across.length < k ? across : [];
  return { chosen: groups.flat().slice(0, k), tied };
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
