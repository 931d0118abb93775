import { DepthkitError } from "../errors.ts";
import { type EvaluateOptions, throwIfCancelled } from "./game.ts";

/** Numbers under a name: what a coalition, or a subnetwork, is worth. */
export interface StoredRow {
  /** Hexadecimal digits. */
  readonly key: string;
  readonly value: Float64Array;
}

/** Where rows are kept beyond memory, such as a journal. */
export interface RowStore {
  /** What it held when it was opened. */
  entries(): Iterable<StoredRow>;
  /** Keeps rows for later runs. */
  append(rows: readonly StoredRow[]): Promise<void>;
}

/** What a cache was asked for, and what it knew. */
export interface CacheCounts {
  /** Rows asked for, repeats included. */
  asked: number;
  /** Of these, how many were known or already under way. */
  hits: number;
  /** Rows computed. */
  evaluated: number;
}

/** Computes the rows of these keys, none of them known, and hands each on as soon as it is there. */
export type ComputeRows = (
  keys: readonly string[],
  found: (rows: readonly StoredRow[]) => void,
) => Promise<void>;

/**
 * Rows of numbers by key, each computed once: known ones come from memory, ones under way are waited for, the
 * rest are computed together. Each is kept, and on its way to the store, the moment it is found: what is
 * cancelled or killed in the middle loses only what was not finished.
 */
export class RowCache {
  readonly #store: RowStore | undefined;
  readonly #known = new Map<string, Float64Array>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #counts: CacheCounts = { asked: 0, hits: 0, evaluated: 0 };

  constructor(store?: RowStore) {
    this.#store = store;
    for (const { key, value } of store?.entries() ?? []) this.#known.set(key, value);
  }

  get counts(): Readonly<CacheCounts> {
    return { ...this.#counts };
  }

  /** How many rows are known. */
  get known(): number {
    return this.#known.size;
  }

  get(key: string): Float64Array | undefined {
    return this.#known.get(key);
  }

  /** The rows of these keys, in their order. */
  async rows(
    keys: readonly string[],
    compute: ComputeRows,
    { signal }: EvaluateOptions = {},
  ): Promise<Float64Array[]> {
    this.#counts.asked += keys.length;
    let evaluated = 0;
    for (let missing = this.#missing(keys); missing.length > 0; missing = this.#missing(keys)) {
      throwIfCancelled(signal, "Evaluating");
      evaluated += await this.#fill(missing, compute);
    }
    this.#counts.hits += keys.length - evaluated;
    return keys.map((key) => this.#row(key));
  }

  #missing(keys: readonly string[]): string[] {
    return [...new Set(keys)].filter((key) => !this.#known.has(key));
  }

  /** Computes what nobody else is computing, waits for the rest, and says how many it computed itself. */
  async #fill(missing: readonly string[], compute: ComputeRows): Promise<number> {
    const others = missing.flatMap((key) => this.#underWay.get(key) ?? []);
    const mine = missing.filter((key) => !this.#underWay.has(key));
    if (mine.length > 0) {
      const work = this.#compute(mine, compute);
      for (const key of mine) this.#underWay.set(key, work);
      try {
        await work;
      } finally {
        for (const key of mine) this.#underWay.delete(key);
      }
    }
    // Someone else's cancelled work is no failure of ours: the caller's loop asks for what is still unknown.
    for (const outcome of await Promise.allSettled(others)) {
      if (outcome.status === "rejected" && !isCancelled(outcome.reason)) throw outcome.reason;
    }
    return mine.length;
  }

  async #compute(keys: readonly string[], compute: ComputeRows): Promise<void> {
    let written: Promise<void> = Promise.resolve();
    let failure: { cause: unknown } | undefined;
    try {
      await compute(keys, (rows) => {
        // A store that cannot be written to ends the work: what it goes on to find would be lost.
        if (failure !== undefined) throw failure.cause;
        // Adding 0 turns -0 into 0, the only finite number that JSON does not give back as it was.
        const kept = rows.map(({ key, value }) => ({ key, value: value.map((number) => number + 0) }));
        for (const { key, value } of kept) this.#known.set(key, value);
        this.#counts.evaluated += kept.length;
        const append = this.#store?.append(kept).catch((cause: unknown) => {
          failure ??= { cause };
        });
        written = Promise.all([written, append]).then(() => {});
      });
    } finally {
      await written;
    }
    if (failure !== undefined) throw failure.cause;
    const forgotten = keys.find((key) => !this.#known.has(key));
    if (forgotten !== undefined) {
      throw new DepthkitError(
        "INTERNAL",
        `Evaluating: no numbers came for ${forgotten}, which was asked for.`,
      );
    }
  }

  #row(key: string): Float64Array {
    const row = this.#known.get(key);
    if (row !== undefined) return row;
    throw new DepthkitError("INTERNAL", `Evaluating: the numbers of ${key} are gone.`);
  }
}

function isCancelled(reason: unknown): boolean {
  return reason instanceof DepthkitError && reason.code === "CANCELLED";
}
