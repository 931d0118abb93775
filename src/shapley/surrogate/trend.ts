import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { add, item, real } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import { type Functional, pairIndex } from "../functional.ts";
import type { Surrogate } from "./surrogate.ts";

/** Pairs are fitted only while the normal equations stay small. */
const mostFeatures = 600;
const rowsPerFeature = 4;
/** More rows than so many a coefficient improve the fit by less than their time is worth. */
const mostRowsPerFeature = 16;

/**
 * A constant, one number for each absent player and, when there are data enough, one for each absent pair.
 */
export class Trend implements Surrogate {
  readonly description: string;
  readonly #constant: number;
  readonly #lines: Float64Array;
  readonly #pairs: Float64Array | undefined;

  private constructor(constant: number, lines: Float64Array, pairs: Float64Array | undefined) {
    this.#constant = constant;
    this.#lines = lines;
    this.#pairs = pairs;
    this.description = pairs === undefined ? "linear least squares" : "pairwise least squares";
  }

  /** By least squares over all rows; undefined when there are fewer than four rows a coefficient. */
  static fit(coalitions: readonly Coalition[], y: Float64Array): Trend | undefined {
    const players = item(coalitions, 0).players;
    const pairCount = (players * (players - 1)) / 2;
    const withPairs = 1 + players + pairCount;
    const usePairs = withPairs <= mostFeatures && coalitions.length >= rowsPerFeature * withPairs;
    const features = usePairs ? withPairs : 1 + players;
    if (coalitions.length < rowsPerFeature * features) return undefined;
    const normal = new Float64Array(features * features);
    const right = new Float64Array(features);
    const used = coalitions.slice(0, mostRowsPerFeature * features);
    for (const [row, coalition] of used.entries()) {
      const active = activeFeatures(players, coalition.absent(), usePairs);
      const value = real(y, row);
      for (let at = 0; at < active.length; at++) {
        const i = item(active, at);
        add(right, i, value);
        for (let k = 0; k <= at; k++) {
          const cell = i * features + item(active, k);
          add(normal, cell, 1);
        }
      }
    }
    const ridge = 1e-6 * used.length;
    const matrix = Matrix.zeros(features, features);
    for (let i = 0; i < features; i++) {
      for (let j = 0; j <= i; j++) {
        const entry = real(normal, i * features + j) + (i === j ? ridge : 0);
        matrix.set(i, j, entry);
        matrix.set(j, i, entry);
      }
    }
    const solution = new CholeskyDecomposition(matrix).solve(Matrix.columnVector(right)).to1DArray();
    const lines = Float64Array.from(solution.slice(1, players + 1));
    const pairs = usePairs ? Float64Array.from(solution.slice(players + 1)) : undefined;
    return new Trend(item(solution, 0), lines, pairs);
  }

  predict(coalition: Coalition): number {
    let sum = this.#constant;
    const absent = coalition.absent();
    for (let at = 0; at < absent.length; at++) {
      const i = item(absent, at);
      sum += real(this.#lines, i);
      if (this.#pairs === undefined) continue;
      for (let next = at + 1; next < absent.length; next++) {
        sum += real(this.#pairs, pairIndex(coalition.players, i, item(absent, next)));
      }
    }
    return sum;
  }

  apply(functional: Functional): Float64Array {
    const { players } = functional;
    const sums = new Float64Array(functional.size);
    const pairs = this.#pairs ?? new Float64Array((players * (players - 1)) / 2);
    const perPlayer = new Float64Array(players);
    let at = 0;
    for (let i = 0; i < players; i++) {
      for (let j = i + 1; j < players; j++, at++) {
        const effect = real(pairs, at);
        add(perPlayer, i, effect);
        add(perPlayer, j, effect);
      }
    }
    functional.addPolynomial(sums, this.#lines, { perPlayer, all: () => pairs });
    return sums;
  }
}

/** The columns that are 1 in a coalition's row, ascending: the constant, its absent players, their pairs. */
function activeFeatures(players: number, absent: readonly number[], usePairs: boolean): number[] {
  const active = [0, ...absent.map((i) => 1 + i)];
  if (!usePairs) return active;
  for (const [at, i] of absent.entries()) {
    for (const j of absent.slice(at + 1)) active.push(1 + players + pairIndex(players, i, j));
  }
  return active;
}
