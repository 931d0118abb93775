import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import type { Coalition } from "../game/coalition.ts";
import { type Random, randomStream } from "../shapley/random.ts";
import { Archive } from "./archive.ts";
import type { Ledger } from "./ledger.ts";
import type { SearchSpace } from "./space.ts";

export interface Step {
  /** The sets that this step looked at. */
  readonly tried: readonly Coalition[];
  /** The set it settled on. */
  readonly kept: Coalition;
  readonly value: number;
  readonly evaluations: number;
  readonly cost: number;
}

/** A set and what is known of its value. */
export interface Known {
  readonly set: Coalition;
  readonly value: number;
}

export interface RunOptions {
  readonly strategy: string;
  readonly space: SearchSpace;
  /** The cheapest first; the last is of the game itself. */
  readonly ledgers: readonly Ledger[];
  /** Sets to start from. */
  readonly start: readonly (readonly number[])[];
  readonly evaluations: number;
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
  readonly onBatch: (run: SearchRun) => void;
}

/** One search under way: what was evaluated, what is left to spend, and the steps so far. */
export class SearchRun {
  readonly space: SearchSpace;
  readonly start: readonly (readonly number[])[];
  readonly limit: number;
  readonly steps: Step[] = [];
  readonly archive = new Archive();
  /** Players that were absent from some evaluated set. */
  readonly tried = new Set<number>();
  readonly #options: RunOptions;

  constructor(options: RunOptions) {
    this.#options = options;
    this.space = options.space;
    this.start = options.start;
    this.limit = options.evaluations;
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** Games from the cheapest to the one that is searched. */
  get levels(): number {
    return this.#options.ledgers.length;
  }

  get top(): Ledger {
    return item(this.#options.ledgers, this.levels - 1);
  }

  /** In evaluations of the game itself: one of a cheaper game counts its weight. */
  get evaluations(): number {
    return this.#options.ledgers.reduce((sum, { weight, evaluated }) => sum + weight * evaluated, 0);
  }

  get cost(): number {
    return this.#options.ledgers.reduce((sum, { cost }) => sum + cost, 0);
  }

  get remaining(): number {
    return this.limit - this.evaluations;
  }

  /** What an evaluation of each cheaper game counts. */
  get weights(): number[] {
    return this.#options.ledgers.slice(0, -1).map(({ weight }) => weight);
  }

  random(name: string): Random {
    return randomStream(this.#options.seed, `${this.#options.strategy}: ${name}`);
  }

  /** Throws unless this many evaluations more can be had. */
  require(evaluations: number): void {
    if (evaluations <= this.remaining + 1e-9) return;
    const minimum = Math.ceil(this.evaluations + evaluations - 1e-9);
    throw new DepthkitError(
      "BUDGET_TOO_SMALL",
      `Searching by "${this.#options.strategy}": got ${this.limit} evaluations, and it needs at least ` +
        `${minimum} here. Allow more, or name fewer candidates.`,
      { details: { evaluations: this.limit, minimum } },
    );
  }

  isKnown(kept: Coalition): boolean {
    return this.top.has(kept);
  }

  valueOf(kept: Coalition): number {
    return this.top.valueOf(kept);
  }

  /**
   * All that any game has seen, best first. What only cheaper games have seen has the value of the dearest of
   * them, moved by how far that one stands from the game itself, in the mean, on sets that both have seen.
   */
  known(): Known[] {
    const found = new Map<string, Known>();
    for (const ledger of this.#options.ledgers) {
      const sets = ledger.best();
      const both = sets.filter((set) => this.isKnown(set));
      const apart = both.reduce((sum, set) => sum + this.valueOf(set) - ledger.valueOf(set), 0);
      const shift = both.length === 0 ? 0 : apart / both.length;
      for (const set of sets) found.set(set.key, { set, value: ledger.valueOf(set) + shift });
    }
    return [...found.values()].sort((a, b) => b.value - a.value || (a.set.key < b.set.key ? -1 : 1));
  }

  /** The leading sets that what is left to spend allows, `spare` evaluations kept back. */
  affordable(sets: readonly Coalition[], level = this.levels - 1, spare = 0): Coalition[] {
    const ledger = item(this.#options.ledgers, level);
    const fresh = new Set<string>();
    return sets.filter((set) => {
      if (ledger.has(set) || fresh.has(set.key)) return true;
      if (ledger.weight * (fresh.size + 1) > this.remaining - spare + 1e-9) return false;
      fresh.add(set.key);
      return true;
    });
  }

  /** Values of sets, at the game itself unless a level is named; what is known costs nothing. */
  async evaluate(sets: readonly Coalition[], level = this.levels - 1): Promise<number[]> {
    const ledger = item(this.#options.ledgers, level);
    this.require(ledger.weight * ledger.fresh(sets).length);
    await ledger.evaluate(sets, this.signal, (batch) => {
      for (const set of batch) {
        for (const player of set.absent()) this.tried.add(player);
        if (ledger === this.top) this.archive.offer(set, ledger.valueOf(set));
      }
      this.#options.onBatch(this);
    });
    return sets.map((set) => ledger.valueOf(set));
  }

  /**
   * Of many sets those that the cheaper games let through to the game itself: each half of what it sees, its
   * best, and never fewer than `least`. All of them where there are no cheaper games.
   */
  async narrow(sets: readonly Coalition[], least: number): Promise<readonly Coalition[]> {
    let through = sets;
    for (let level = 0; level < this.levels - 1; level++) {
      const values = await this.evaluate(through, level);
      const order = [...through.keys()].sort((a, b) => item(values, b) - item(values, a) || a - b);
      through = order.slice(0, passing(through.length, least)).map((at) => item(through, at));
    }
    return through;
  }

  /** Notes what a step looked at and what it settled on, which must be evaluated. */
  step(tried: readonly Coalition[], kept: Coalition): void {
    const { evaluations, cost } = this;
    this.steps.push({ tried, kept, value: this.valueOf(kept), evaluations, cost });
  }
}

/** What so many sets cost that cheaper games of these weights let through to the game itself. */
export function narrowedCost(sets: number, least: number, weights: readonly number[]): number {
  let [sum, left] = [0, sets];
  for (const weight of weights) {
    sum += weight * left;
    left = passing(left, least);
  }
  return sum + left;
}

const passing = (sets: number, least: number) => Math.max(Math.min(least, sets), Math.ceil(sets / 2));

/** The set of greatest value; of equal ones the first. */
export function best(sets: readonly Coalition[], values: readonly number[]): Coalition {
  let at = 0;
  for (const [index, value] of values.entries()) if (value > item(values, at)) at = index;
  return item(sets, at);
}
