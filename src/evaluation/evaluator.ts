import { createHash } from "node:crypto";
import { DepthkitError } from "../errors.ts";
import { type CacheCounts, RowCache } from "../game/row-cache.ts";
import type { Measure, WorkSplit } from "../protocol/subnetworks.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { modelKey } from "./keys.ts";
import { MeasureStore } from "./measure-store.ts";
import { productsOf } from "./precision.ts";
import type { Scorable } from "./scorable.ts";
import type { Subject } from "./subject.ts";
import { sublayerKeys } from "./sublayers.ts";
import {
  type EngineParams,
  maskBytes,
  measureSubnetworks,
  pickRows,
  type Subnetworks,
} from "./subnetworks.ts";

export interface EvaluatorOptions {
  /** What is measured, in the order of the columns. */
  readonly measures: readonly Measure[];
  readonly engine: EngineParams;
  /**
   * Keep every measure of every subnetwork in this folder as it is finished, and take from it what is there.
   */
  readonly journal?: string | undefined;
}

/** Of the subnetworks asked for; `count` is over how many positions or items each measure is a mean. */
export interface Measured {
  /** Row-major: a row per subnetwork, in order, a column per measure. NaN or infinite where they are. */
  readonly values: Float64Array;
  readonly counts: readonly number[];
}

/** What the calls to the worker said beside their values. */
export interface Effort {
  /** Subnetworks computed. */
  distinct: number;
  /** Blocks run on a batch, a sublayer counting as its share. */
  blockEvaluations: number;
  batchSize: number;
  /** Of the last call that a cluster did. */
  split: WorkSplit | null;
  notes: readonly string[];
}

/** A row of those asked for is there. */
export type OnRow = (row: number, values: Float64Array) => void;

/**
 * Measures of one model's subnetworks on one corpus or task: packed masks in, columns out. Each subnetwork is
 * measured once, by what it computes and not by how it is named, and is in memory and in the journal as soon
 * as it is finished; games, searches and lists of subnetworks share both.
 */
export class Evaluator implements AsyncDisposable {
  readonly measures: readonly Measure[];
  readonly #model: Subject;
  readonly #data: Scorable;
  readonly #engine: EngineParams;
  readonly #store: MeasureStore | undefined;
  readonly #rows: RowCache;
  readonly #effort: Effort = { distinct: 0, blockEvaluations: 0, batchSize: 0, split: null, notes: [] };

  private constructor(
    model: Subject,
    data: Scorable,
    { measures, engine }: EvaluatorOptions,
    store: MeasureStore | undefined,
  ) {
    this.measures = measures;
    this.#model = model;
    this.#data = data;
    this.#engine = engine;
    this.#store = store;
    this.#rows = new RowCache(store);
  }

  /**
   * @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT where the journal cannot be used
   */
  static async open(model: Subject, data: Scorable, options: EvaluatorOptions): Promise<Evaluator> {
    const { measures, engine, journal } = options;
    const other = measures.find((measure) => !data.measures.includes(measure));
    if (other !== undefined || measures.length === 0) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Measuring subnetworks: ${JSON.stringify(other ?? null)} is not measured on this data; measures ` +
          `of it: ${data.measures.join(", ")}.`,
      );
    }
    const { every = 1, last = null } = engine.scoredPositions ?? {};
    const products = productsOf(model, engine.precision);
    const key = { ...modelKey(model.info), products, data: data.key, positions: { every, last } };
    const store = journal === undefined ? undefined : await MeasureStore.open(journal, key, measures);
    return new Evaluator(model, data, options, store);
  }

  get counts(): Readonly<CacheCounts> {
    return this.#rows.counts;
  }

  /** How many subnetworks are known. */
  get known(): number {
    return this.#rows.known;
  }

  /** Of all calls so far. */
  get effort(): Readonly<Effort> {
    return this.#effort;
  }

  /** @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED, OUT_OF_MEMORY */
  async measure(
    subnetworks: Subnetworks,
    { onRow, ...call }: CallOptions & { onRow?: OnRow | undefined } = {},
  ): Promise<Measured> {
    const { measures } = this;
    const keys = keysOf(subnetworks, this.#model.info.depth);
    const rowsOf = placesOf(keys);
    const told = new Set<string>();
    const tell = (key: string, pairs: Float64Array | undefined) => {
      if (pairs === undefined || told.has(key)) return;
      told.add(key);
      for (const row of rowsOf.get(key) ?? []) onRow?.(row, valuesIn(pairs));
    };
    for (const key of rowsOf.keys()) tell(key, this.#rows.get(key));
    const rows = await this.#rows.rows(
      keys,
      async (missing, found) => {
        const asked = missing.flatMap((key) => rowsOf.get(key)?.[0] ?? []);
        const result = await measureSubnetworks(
          this.#model,
          this.#data,
          pickRows(subnetworks, asked),
          measures,
          this.#engine,
          {
            ...call,
            onRows: (finished, values, counts) => {
              const batch = Array.from(finished, (place, index) => ({
                key: missing[place] ?? "",
                value: Float64Array.from(
                  counts.flatMap((count, column) => [
                    values[index * measures.length + column] ?? Number.NaN,
                    count,
                  ]),
                ),
              }));
              found(batch);
              for (const { key, value } of batch) tell(key, value);
            },
          },
        );
        this.#note(result);
      },
      call,
    );
    // What another call was computing at the same time.
    for (const [row, key] of keys.entries()) tell(key, rows[row]);
    const values = new Float64Array(rows.length * measures.length);
    for (const [row, pairs] of rows.entries()) values.set(valuesIn(pairs), row * measures.length);
    return { values, counts: measures.map((_, column) => rows[0]?.[2 * column + 1] ?? 0) };
  }

  /** Closes the journal; safe to call twice. */
  async close(): Promise<void> {
    await this.#store?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #note({ distinct, blockEvaluations, batchSize, split, notes }: Effort): void {
    this.#effort.distinct += distinct;
    this.#effort.blockEvaluations += blockEvaluations;
    this.#effort.batchSize = Math.max(this.#effort.batchSize, batchSize);
    this.#effort.split = split ?? this.#effort.split;
    this.#effort.notes = [...new Set([...this.#effort.notes, ...notes])];
  }
}

/** In a row, each measure is followed by its count. */
const valuesIn = (pairs: Float64Array): Float64Array => pairs.filter((_, index) => index % 2 === 0);

function placesOf(keys: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [row, key] of keys.entries()) {
    const known = places.get(key);
    if (known === undefined) places.set(key, [row]);
    else known.push(row);
  }
  return places;
}

/** What each subnetwork computes, as digits: the sublayers it has lost, and the repairs in place. */
function keysOf({ players, kept, repairs, repaired }: Subnetworks, depth: number): string[] {
  const width = maskBytes(players.length);
  const keyAt = sublayerKeys(players, depth);
  const lost = Array.from({ length: kept.length / width }, (_, row) => keyAt(kept, row * width));
  if (repairs.length === 0) return lost;
  const digests = repairs.map(({ digest }) => digest);
  const repairBytes = maskBytes(repairs.length);
  const names = new Map<string, string>();
  return lost.map((key, row) => {
    // Where no mask says which are in place, they are the same for every subnetwork.
    const mask = repaired?.subarray(row * repairBytes, (row + 1) * repairBytes);
    const chosen = digests.filter((_, index) => isSet(mask, index));
    if (chosen.length === 0) return key;
    const listed = chosen.join();
    const name = names.get(listed) ?? createHash("sha256").update(listed).digest("hex");
    names.set(listed, name);
    return `${key}${name}`;
  });
}

const isSet = (mask: Uint8Array | undefined, bit: number): boolean =>
  mask === undefined || (((mask[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
