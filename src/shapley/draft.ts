import { add, real } from "../arrays.ts";
/** The state of an estimate for one value of the game. */
export interface ValueDraft {
  readonly estimate: Float64Array;
  /** The estimates' variances, one per player. */
  readonly variance: Float64Array;
  /** Rows d whose outer products d d' sum up to about the estimates' covariance matrix. */
  readonly factors: readonly Float64Array[];
  /** Degrees of freedom behind each variance. */
  readonly degrees: Float64Array;
  /** Independent contributions behind it: walks, pairs, coalitions drawn. */
  readonly units: number;
}

/** What an estimator hands over: one draft per value, in the game's order. */
export interface Draft {
  readonly values: readonly ValueDraft[];
  /** Walks, pairs or coalitions drawn, repeats included. */
  readonly draws: number;
}

const mostFactors = 256;

/**
 * Gathers the independent contributions to an estimate's error. Past 256 of them they are folded, with
 * alternating signs, into 256 rows, which keeps the covariance on average; the variances stay exact.
 */
export class ErrorSum {
  readonly #variance: Float64Array;
  readonly #fourth: Float64Array;
  readonly #factors: Float64Array[] = [];
  #count = 0;

  constructor(size: number) {
    this.#variance = new Float64Array(size);
    this.#fourth = new Float64Array(size);
  }

  add(contribution: Float64Array): void {
    const slot = this.#count % mostFactors;
    // A sign that differs between any two rounds in about half of the slots.
    const round = Math.floor(this.#count / mostFactors);
    const sign = Math.imul(slot + 1, Math.imul(round, 0x9e3779b1)) >>> 31 === 0 ? 1 : -1;
    const row = this.#factors[slot] ?? new Float64Array(contribution.length);
    this.#factors[slot] = row;
    for (let i = 0; i < contribution.length; i++) {
      const c = real(contribution, i);
      const square = c * c;
      add(this.#variance, i, square);
      add(this.#fourth, i, square * square);
      add(row, i, sign * c);
    }
    this.#count++;
  }

  /** `degrees`: of every variance; by default the effective number of contributions behind each, less one. */
  finish(estimate: Float64Array, degrees?: number): ValueDraft {
    const variance = this.#variance.slice();
    const factors = this.#factors.map((row) => row.slice());
    for (let i = 0; i < variance.length; i++) {
      const folded = factors.reduce((sum, row) => sum + real(row, i) ** 2, 0);
      const scale = folded > 0 ? Math.sqrt(real(variance, i) / folded) : 0;
      for (const row of factors) row[i] = real(row, i) * scale;
    }
    const effective = variance.map((v, i) => (v > 0 ? Math.max(1, v ** 2 / real(this.#fourth, i) - 1) : 1));
    return {
      estimate,
      variance,
      factors,
      degrees: degrees === undefined ? effective : effective.fill(degrees),
      units: this.#count,
    };
  }
}

/** A draft without any sampling error. */
export function certain(estimate: Float64Array): ValueDraft {
  const size = estimate.length;
  return {
    estimate,
    variance: new Float64Array(size),
    factors: [],
    degrees: new Float64Array(size).fill(Number.POSITIVE_INFINITY),
    units: Number.POSITIVE_INFINITY,
  };
}

/**
 * The mean of independent, identically distributed vectors, with its error. Needs at least two of them. Each
 * variance is drawn towards the mean of all as if by one observation more (a moderated t, Smyth 2004): with a
 * few walks a player may by chance have shown only one side of a skewed marginal, and an interval from that
 * alone would be far too short (70% in place of 95% with two or three walks of a depth game).
 */
export function meanDraft(vectors: readonly Float64Array[]): ValueDraft {
  const size = vectors[0]?.length ?? 0;
  const mean = new Float64Array(size);
  for (const vector of vectors) {
    for (let i = 0; i < size; i++) add(mean, i, real(vector, i) / vectors.length);
  }
  const errors = new ErrorSum(size);
  const scale = 1 / Math.sqrt(vectors.length * (vectors.length - 1));
  for (const vector of vectors) errors.add(vector.map((x, i) => scale * (x - real(mean, i))));
  const degrees = vectors.length - 1;
  const raw = errors.finish(mean, degrees + 1);
  const pooled = raw.variance.reduce((sum, v) => sum + v, 0) / size;
  const variance = raw.variance.map((v) => (degrees * v + pooled) / (degrees + 1));
  const stretch = variance.map((v, i) =>
    real(raw.variance, i) > 0 ? Math.sqrt(v / real(raw.variance, i)) : 0,
  );
  return {
    ...raw,
    variance,
    factors: raw.factors.map((row) => row.map((x, i) => x * real(stretch, i))),
  };
}
