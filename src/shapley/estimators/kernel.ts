import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { add, item, real } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { Coalition } from "../../game/coalition.ts";
import { interleave, proportionalShares, roundShares, SubsetStream } from "../design.ts";
import { type Draft, ErrorSum, type ValueDraft } from "../draft.ts";
import { type Estimator, refuseTarget } from "../estimator.ts";
import { randomStream } from "../random.ts";
import { evaluateRequired } from "../required.ts";
import type { Session, Unit } from "../session.ts";
import { choose, reachOf } from "../target.ts";

/** A coalition with its complement, and its weight in the regression. */
export interface WeightedPair extends Unit {
  readonly coalitions: readonly [Coalition, Coalition];
  /** Which size's pairs it was drawn from; see `PairDesign`. */
  readonly stratum: number;
}

/**
 * KernelSHAP (Lundberg and Lee, arXiv 1705.07874): the additive game closest to this one in weighted least
 * squares under v(all) - v(none) = sum of its values, size s weighing (n - 1) / (C(n, s) s (n - s)). Sampled
 * in pairs with the complement (Covert and Lee, arXiv 2012.01536) and without replacement, size by size (as
 * in Leverage SHAP, arXiv 2410.01917). A pair counts through v(T) - v(N - T), which depends on the odd part
 * of the game alone, so a pair is one row. The error is the design's, by linearisation with each row's
 * leverage taken out.
 */
export const kernel: Estimator = {
  method: "kernel",
  unbiased: false,
  efficient: true,
  check(target, players) {
    if (players < 2 || reachOf(target, players) !== players) {
      refuseTarget(
        "kernel",
        target,
        '"shapley" only (its constraint is efficiency, which a horizon lacks), with at least 2 players',
      );
    }
  },
  minimum: (players) => 2 + 2 * (players + 1),
  async run(session) {
    const { players } = session;
    await evaluateRequired(
      session,
      [Coalition.full(players), Coalition.empty(players)],
      "the efficiency constraint",
    );
    const design = new PairDesign(players, Math.floor(session.remaining / 2), session.seed);
    const pairs: WeightedPair[] = [];
    const draft = (): Draft | undefined =>
      pairs.length > players ? kernelDraft(session, design, pairs) : undefined;
    await session.sample(
      () => design.next(),
      (pair) => pairs.push(pair),
      draft,
    );
    const final = draft();
    if (final === undefined) {
      throw new DepthkitError(
        "BUDGET_TOO_SMALL",
        `Estimating by "kernel": the budget ended after ${pairs.length} pairs of coalitions; the ` +
          `regression needs ${players + 1}. Give it more time or cost.`,
      );
    }
    return { draft: final };
  },
};

/**
 * Which pairs are drawn. Sizes s <= n/2 share the pairs in proportion to their weight in the regression,
 * capped at the number there are; sizes that get less than one pair are pooled, a pooled pair's size being
 * drawn at random.
 */
export class PairDesign {
  /** Pairs there are of each size s = 1 .. floor(n/2). */
  readonly populations: readonly number[];
  /** Total weight of each size's pairs in the regression. */
  readonly weights: readonly number[];
  readonly pooled: ReadonlySet<number>;
  readonly #players: number;
  readonly #streams: readonly SubsetStream[];
  readonly #order: readonly number[];
  readonly #pool = "pool";
  readonly #poolSizes: readonly number[];
  #at = 0;
  #pooledAt = 0;

  constructor(players: number, pairs: number, seed: number) {
    this.#players = players;
    const sizes = Array.from({ length: Math.floor(players / 2) }, (_, i) => i + 1);
    const half = (size: number) => 2 * size === players;
    this.populations = sizes.map((size) =>
      half(size) ? choose(players - 1, size - 1) : choose(players, size),
    );
    this.weights = sizes.map((size) => ((half(size) ? 1 : 2) * (players - 1)) / (size * (players - size)));
    // Of a pair of halves, the one that has player 0 stands for both.
    this.#streams = sizes.map((size) => {
      const random = randomStream(seed, `pairs of size ${size}`);
      return half(size)
        ? new SubsetStream(players - 1, size - 1, random)
        : new SubsetStream(players, size, random);
    });
    const shares = proportionalShares(pairs, this.weights, this.populations);
    this.pooled = new Set(sizes.flatMap((_, i) => (item(shares, i) < 1 ? [i] : [])));
    const own = shares.map((share, i) => (this.pooled.has(i) ? 0 : share));
    const ownCounts = roundShares(own, this.populations);
    const poolCount = this.pooled.size === 0 ? 0 : pairs - ownCounts.reduce((sum, count) => sum + count, 0);
    const random = randomStream(seed, this.#pool);
    const members = [...this.pooled];
    const total = members.reduce((sum, i) => sum + item(this.weights, i), 0);
    this.#poolSizes = Array.from({ length: poolCount }, () => {
      let left = random.uniform() * total;
      for (const i of members) {
        left -= item(this.weights, i);
        if (left < 0) return i;
      }
      return item(members, 0);
    });
    this.#order = interleave([...ownCounts, poolCount]);
  }

  next(): WeightedPair | undefined {
    while (this.#at < this.#order.length) {
      const slot = item(this.#order, this.#at++);
      const stratum = slot < this.#streams.length ? slot : item(this.#poolSizes, this.#pooledAt++);
      const subset = this.#streams[stratum]?.next();
      if (subset === undefined) continue;
      const isHalf = 2 * (stratum + 1) === this.#players;
      const coalition = Coalition.of(this.#players, isHalf ? [0, ...subset.map((i) => i + 1)] : subset);
      return { stratum, coalitions: [coalition, coalition.complement()] };
    }
    return undefined;
  }
}

/** Solves the regression over the pairs drawn so far. */
export function kernelDraft(session: Session, design: PairDesign, pairs: readonly WeightedPair[]): Draft {
  const { players } = session;
  const counts = design.populations.map(() => 0);
  for (const { stratum } of pairs) counts[stratum] = item(counts, stratum) + 1;
  const members = [...design.pooled];
  const poolCount = members.reduce((sum, i) => sum + item(counts, i), 0);
  const poolWeight = members.reduce((sum, i) => sum + item(design.weights, i), 0);
  const rows = pairs.map(({ stratum, coalitions }) => {
    const pooled = design.pooled.has(stratum);
    const whole = !pooled && counts[stratum] === design.populations[stratum];
    return {
      coalitions,
      weight: pooled ? poolWeight / poolCount : item(design.weights, stratum) / item(counts, stratum),
      unseen: whole ? 0 : pooled ? 1 : 1 - item(counts, stratum) / item(design.populations, stratum),
      signs: Float64Array.from({ length: players }, (_, i) => (coalitions[0].has(i) ? 0.5 : -0.5)),
    };
  });
  const solver = constrainedInverse(rows, players);
  const all = Coalition.full(players);
  const none = Coalition.empty(players);
  const sampled = rows.filter((row) => row.unseen > 0).length;
  const values = session.game.values.map((_, value): ValueDraft => {
    const total = session.valueOf(all, value) - session.valueOf(none, value);
    const estimate = new Float64Array(players).fill(total / players);
    const halves = rows.map(
      (row) => (session.valueOf(row.coalitions[0], value) - session.valueOf(row.coalitions[1], value)) / 2,
    );
    const residualOf = (row: (typeof rows)[number], t: number) => item(halves, t) - dot(row.signs, estimate);
    const residuals = rows.map(residualOf);
    const step = new Float64Array(players);
    for (const [t, row] of rows.entries()) {
      const scaled = row.weight * item(residuals, t);
      for (let i = 0; i < players; i++) add(step, i, scaled * real(row.signs, i));
    }
    const moved = apply(solver, step);
    for (let i = 0; i < players; i++) add(estimate, i, real(moved, i));
    const errors = new ErrorSum(players);
    // With thousands of rows a row's own pull on the fit is next to its mean: (n - 1) / rows.
    const many = rows.length > manyRows;
    const folded: Float64Array[] = [];
    let sampledSoFar = 0;
    for (const [t, row] of rows.entries()) {
      if (row.unseen === 0) continue;
      const weighted = Math.sqrt(row.unseen) * row.weight * residualOf(row, t);
      if (many) {
        foldInto(folded, sampledSoFar++, row.signs, weighted / (1 - (players - 1) / rows.length));
        continue;
      }
      const direction = apply(solver, row.signs);
      const leverage = Math.min(1, row.weight * dot(direction, row.signs));
      errors.add(direction.map((d) => (weighted / Math.max(1e-3, 1 - leverage)) * d));
    }
    for (const row of folded) errors.add(apply(solver, row));
    return errors.finish(estimate, Math.max(1, sampled - (players - 1)));
  });
  return { values, draws: 2 + 2 * pairs.length };
}

/** Rows from which on errors are folded before they are turned into directions. */
const manyRows = 4096;
const foldedRows = 1024;

/** Adds `amount` times a row, with a sign that alternates from round to round, to one of 1,024 sums. */
function foldInto(folded: Float64Array[], t: number, row: Float64Array, amount: number): void {
  const slot = t % foldedRows;
  const sum = folded[slot] ?? new Float64Array(row.length);
  folded[slot] = sum;
  const round = Math.floor(t / foldedRows);
  const signed = Math.imul(slot + 1, Math.imul(round, 0x9e3779b1)) >>> 31 === 0 ? amount : -amount;
  for (let i = 0; i < row.length; i++) add(sum, i, signed * real(row, i));
}

/** The inverse of the weighted normal matrix on the directions whose sum is 0. */
function constrainedInverse(
  rows: readonly { readonly weight: number; readonly signs: Float64Array }[],
  players: number,
): readonly Float64Array[] {
  const lower = new Float64Array(players * players);
  for (const { weight, signs } of rows) {
    for (let i = 0; i < players; i++) {
      const scaled = weight * real(signs, i);
      const row = i * players;
      for (let j = 0; j <= i; j++) add(lower, row + j, scaled * real(signs, j));
    }
  }
  let trace = 0;
  for (let i = 0; i < players; i++) trace += real(lower, i * players + i);
  // The constraint's direction is free, so it may be made stiff; the ridge keeps too few rows from being
  // singular.
  const ridge = (1e-13 * trace) / players;
  const normal = Matrix.zeros(players, players);
  for (let i = 0; i < players; i++) {
    for (let j = 0; j <= i; j++) {
      const entry = real(lower, i * players + j) + 1 + (i === j ? ridge : 0);
      normal.set(i, j, entry);
      normal.set(j, i, entry);
    }
  }
  const inverse = new CholeskyDecomposition(normal).solve(Matrix.eye(players, players));
  const sums = Array.from({ length: players }, (_, i) => inverse.getRow(i).reduce((sum, x) => sum + x, 0));
  const total = sums.reduce((sum, x) => sum + x, 0);
  return Array.from({ length: players }, (_, i) =>
    Float64Array.from(
      { length: players },
      (_, j) => inverse.get(i, j) - (item(sums, i) * item(sums, j)) / total,
    ),
  );
}

function apply(matrix: readonly Float64Array[], vector: Float64Array): Float64Array {
  return Float64Array.from(matrix, (row) => dot(row, vector));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += real(a, i) * real(b, i);
  return sum;
}
