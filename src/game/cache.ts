import { DepthkitError } from "../errors.ts";
import type { StoredValue } from "../journal/entry.ts";
import type { Coalition } from "./coalition.ts";
import { sortByDepth } from "./depth-order.ts";
import { checkGame, checkMatrix, type EvaluateOptions, type Game, throwIfCancelled } from "./game.ts";

/** Where evaluated coalitions are kept beyond memory; `Journal` is one. */
export interface ValueStore {
  entries(): Iterable<StoredValue>;
  append(entries: readonly StoredValue[]): Promise<void>;
}

export interface CacheCounts {
  /** Coalitions asked for, repeats included. */
  asked: number;
  /** Of these, how many were known or already under way. */
  hits: number;
  /** Coalitions handed to the game. */
  evaluated: number;
}

/**
 * A game that evaluates each coalition once: known ones come from memory, ones under way are waited for, the rest go
 * to the inner game in one batch in depth order and into the store before anyone sees them.
 */
export class CachedGame implements Game {
  readonly players: readonly string[];
  readonly values: readonly string[];
  readonly caps: Readonly<Record<string, number>>;
  readonly costOf?: (coalitions: readonly Coalition[]) => number;
  readonly #inner: Game;
  readonly #store: ValueStore | undefined;
  readonly #known = new Map<string, Float64Array>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #counts: CacheCounts = { asked: 0, hits: 0, evaluated: 0 };

  constructor(inner: Game, store?: ValueStore) {
    checkGame(inner);
    this.#inner = inner;
    this.#store = store;
    this.players = inner.players;
    this.values = inner.values;
    this.caps = inner.caps ?? {};
    const cost = inner.costOf?.bind(inner);
    // What is known is charged like the rest: a budget must not reach further when a killed run is resumed.
    if (cost !== undefined) this.costOf = cost;
    for (const { key, values } of store?.entries() ?? []) this.#known.set(key, values);
  }

  get counts(): Readonly<CacheCounts> {
    return { ...this.#counts };
  }

  /** How many coalitions are known. */
  get known(): number {
    return this.#known.size;
  }

  async evaluate(coalitions: readonly Coalition[], options: EvaluateOptions = {}): Promise<Float64Array> {
    this.#counts.asked += coalitions.length;
    let evaluated = 0;
    for (let missing = this.#unknown(coalitions); missing.length > 0; missing = this.#unknown(coalitions)) {
      throwIfCancelled(options.signal, "Evaluating coalitions");
      evaluated += await this.#fill(missing, options);
    }
    this.#counts.hits += coalitions.length - evaluated;
    const matrix = new Float64Array(coalitions.length * this.values.length);
    coalitions.forEach((coalition, row) => {
      matrix.set(this.#known.get(coalition.key) as Float64Array, row * this.values.length);
    });
    return matrix;
  }

  #unknown(coalitions: readonly Coalition[]): Coalition[] {
    const missing = new Map<string, Coalition>();
    for (const coalition of coalitions) {
      if (!this.#known.has(coalition.key)) missing.set(coalition.key, coalition);
    }
    return [...missing.values()];
  }

  /** Evaluates what nobody else is evaluating, waits for the rest, and says how many it evaluated itself. */
  async #fill(missing: readonly Coalition[], options: EvaluateOptions): Promise<number> {
    const others = missing.flatMap((coalition) => this.#underWay.get(coalition.key) ?? []);
    const mine = sortByDepth(missing.filter((coalition) => !this.#underWay.has(coalition.key)));
    if (mine.length > 0) {
      const work = this.#evaluate(mine, options);
      for (const { key } of mine) this.#underWay.set(key, work);
      try {
        await work;
      } finally {
        for (const { key } of mine) this.#underWay.delete(key);
      }
    }
    // Someone else's cancelled batch is no failure of ours: the caller's loop asks for what is still unknown.
    for (const outcome of await Promise.allSettled(others)) {
      if (outcome.status === "rejected" && !isCancelled(outcome.reason)) throw outcome.reason;
    }
    return mine.length;
  }

  async #evaluate(batch: readonly Coalition[], options: EvaluateOptions): Promise<void> {
    const matrix = await this.#inner.evaluate(batch, options);
    checkMatrix(this.#inner, batch, matrix);
    this.#counts.evaluated += batch.length;
    const width = this.values.length;
    // Adding 0 turns -0 into 0, the only finite number that JSON does not give back as it was.
    const entries = batch.map(({ key }, row) => ({
      key,
      values: matrix.slice(row * width, (row + 1) * width).map((value) => value + 0),
    }));
    await this.#store?.append(entries);
    for (const { key, values } of entries) this.#known.set(key, values);
  }
}

function isCancelled(reason: unknown): boolean {
  return reason instanceof DepthkitError && reason.code === "CANCELLED";
}
