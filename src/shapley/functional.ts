import { add, item, real } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import { choose } from "./target.ts";

/**
 * What is to be known of a game, as a linear map of its values: `size` numbers, each a weighted sum of v(T)
 * over coalitions T. Shapley, horizon and Banzhaf values and pairwise interactions are all of this form, so
 * one estimator of linear maps serves them all.
 */
export interface Functional {
  readonly players: number;
  /** How many numbers it gives: one per player, or one per pair. */
  readonly size: number;
  /** The largest number of removed players with a weight. */
  readonly reach: number;
  /** Adds `weight` times coalition T's coefficients to `sums`. */
  add(sums: Float64Array, coalition: Coalition, weight: number): void;
  /**
   * Adds the map's image of the game T -> product of factors[i] over the players i absent from T, times
   * `weight`.
   */
  addProduct(sums: Float64Array, factors: Float64Array, weight: number): void;
  /**
   * Adds its image of the game in which each absent player counts `lines[i]`, and each pair of them what
   * `pairs` say.
   */
  addPolynomial(sums: Float64Array, lines: Float64Array, pairs: PairEffects): void;
}

/** Effects of pairs: what those of each player sum up to, and, for who needs them, all by `pairIndex`. */
export interface PairEffects {
  readonly perPlayer: Float64Array;
  all(): Float64Array;
}

/**
 * The mean marginal contribution with the weight `weights[t]` on each number t of players already gone:
 * value_i = sum over t of weights[t] x mean over R without i, |R| = t, of v(N - R) - v(N - R - i).
 */
function semivalue(players: number, weights: Float64Array): Functional {
  const reach = weights.length;
  const perCoalition = weights.map((weight, t) => weight / choose(players - 1, t));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scratch = new Float64Array(players * reach);
  // How often another given player is gone already when one goes.
  const earlier = weights.reduce((sum, weight, t) => sum + (weight * t) / Math.max(1, players - 1), 0);
  return {
    players,
    size: players,
    reach,
    add(sums, coalition, weight) {
      const removed = players - coalition.size;
      if (removed > reach) return;
      const present = weight * (perCoalition[removed] ?? 0);
      const absent = removed === 0 ? 0 : -weight * real(perCoalition, removed - 1);
      for (let i = 0; i < players; i++) add(sums, i, coalition.has(i) ? present : absent);
    },
    addProduct(sums, factors, weight) {
      const mean = leaveOneOutSums(factors, perCoalition, scratch);
      for (let i = 0; i < players; i++) {
        add(sums, i, weight * (1 - real(factors, i)) * real(mean, i));
      }
    },
    addPolynomial(sums, lines, pairs) {
      for (let i = 0; i < players; i++) {
        sums[i] = real(sums, i) - total * real(lines, i) - earlier * real(pairs.perPlayer, i);
      }
    },
  };
}

/** Shapley value (reach = players) or horizon value. */
export function horizonValue(players: number, reach: number): Functional {
  return semivalue(players, new Float64Array(reach).fill(1 / reach));
}

/** The Banzhaf value: every coalition of the others alike (Banzhaf 1965). */
export function banzhafValue(players: number): Functional {
  const weights = Float64Array.from(
    { length: players },
    (_, t) => choose(players - 1, t) * 2 ** (1 - players),
  );
  return semivalue(players, weights);
}

/** The index of the pair i < j among all pairs in lexicographic order. */
export function pairIndex(players: number, i: number, j: number): number {
  return i * players - (i * (i + 1)) / 2 + (j - i - 1);
}

/**
 * Pairwise interactions: the mean of v(S + i + j) - v(S + i) - v(S + j) + v(S) over S without both, each
 * number t = 0 .. reach - 2 of players already gone weighted alike. With reach = players it is the Shapley
 * interaction index (Grabisch and Roubens 1999); below, its counterpart within a horizon. Positive: the two
 * need each other; negative: each stands in for the other.
 */
export function pairInteraction(players: number, reach: number): Functional {
  const terms = reach - 1;
  const perCoalition = Float64Array.from({ length: terms }, (_, t) => 1 / (terms * choose(players - 2, t)));
  const scratch = new Float64Array(players * terms);
  return {
    players,
    size: (players * (players - 1)) / 2,
    reach,
    add(sums, coalition, weight) {
      const removed = players - coalition.size;
      if (removed > reach) return;
      // By how many of the pair are absent: both present, one, none.
      const signed = [0, 1, 2].map(
        (gone) => (gone === 1 ? -weight : weight) * (perCoalition[removed - gone] ?? 0),
      );
      let at = 0;
      for (let i = 0; i < players; i++) {
        const first = coalition.has(i) ? 0 : 1;
        for (let j = i + 1; j < players; j++, at++) {
          add(sums, at, item(signed, first + (coalition.has(j) ? 0 : 1)));
        }
      }
    },
    addProduct(sums, factors, weight) {
      for (let i = 0; i < players; i++) {
        const others = factors.slice();
        others[i] = 0;
        const mean = leaveOneOutSums(others, perCoalition, scratch);
        const outer = weight * (1 - real(factors, i));
        for (let j = i + 1; j < players; j++) {
          const at = pairIndex(players, i, j);
          add(sums, at, outer * (1 - real(factors, j)) * real(mean, j));
        }
      }
    },
    addPolynomial(sums, _lines, pairs) {
      for (const [at, effect] of pairs.all().entries()) add(sums, at, effect);
    },
  };
}

/**
 * For each i, the sum over t of weights[t] times the t-th elementary symmetric polynomial of the factors
 * without the i-th: prefix polynomials forward, the weights carried backward through the suffixes. O(n x
 * reach), and no division, so nothing cancels. `carried` is room for n x reach numbers.
 */
function leaveOneOutSums(factors: Float64Array, weights: Float64Array, carried: Float64Array): Float64Array {
  const n = factors.length;
  const reach = weights.length;
  // Row i comes to hold the weights carried back through the factors after the i-th.
  carried.set(weights, (n - 1) * reach);
  for (let i = n - 1; i > 0; i--) {
    const x = real(factors, i);
    const row = i * reach;
    const before = row - reach;
    for (let a = 0; a < reach; a++) {
      const next = a + 1 < reach ? real(carried, row + a + 1) : 0;
      carried[before + a] = real(carried, row + a) + x * next;
    }
  }
  const result = new Float64Array(n);
  const prefix = new Float64Array(reach);
  prefix[0] = 1;
  for (let i = 0; i < n; i++) {
    const row = i * reach;
    const reached = Math.min(reach, i + 1);
    let sum = 0;
    for (let a = 0; a < reached; a++) sum += real(prefix, a) * real(carried, row + a);
    result[i] = sum;
    const x = real(factors, i);
    for (let a = Math.min(reach - 1, i + 1); a > 0; a--) {
      add(prefix, a, x * real(prefix, a - 1));
    }
  }
  return result;
}
