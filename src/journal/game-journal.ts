import { aNumberAbove, aText, type Checks, checkOptions, listOf, required } from "../options.ts";
import { isJournalKey, type JournalKey } from "./key.ts";
import { openValuesFile, type StoredValue, type ValuesFile } from "./values-file.ts";

/** Where a journal of values is, and what its values depend on. */
export interface JournalOptions {
  /** Holds one file per key; made when absent. */
  readonly directory: string;
  /** Everything that determines the values: weights, data, measure, dtype, engine version, ... */
  readonly key: JournalKey;
  readonly players: readonly string[];
  readonly values: readonly string[];
  /** Data reach the disk at least this often while batches arrive, and on close; default 1000. */
  readonly syncEveryMs?: number | undefined;
}

const checks: Checks<JournalOptions> = {
  directory: required(aText),
  key: required({ allowed: "text, numbers, lists and objects that JSON holds", holds: isJournalKey }),
  players: required(listOf(aText, 1)),
  values: required(listOf(aText, 1)),
  syncEveryMs: aNumberAbove(0),
};

/**
 * Values of a game's coalitions, in one file for each key, players and values together: what a `CachedGame`
 * over a function of one's own keeps. A game over a model has its own (`model.game(..., { journal })`).
 */
export class Journal implements AsyncDisposable {
  readonly #file: ValuesFile;

  private constructor(file: ValuesFile) {
    this.#file = file;
  }

  /**
   * Opens the file of this key, and makes it where there is none.
   * @throws DepthkitError INVALID_ARGUMENT
   */
  static async open(options: JournalOptions): Promise<Journal> {
    checkOptions("Journal.open", options, checks);
    const { directory, key, players, values, syncEveryMs } = options;
    const header = { format: "depthkit-values", version: 1, players, values, key };
    return new Journal(await openValuesFile({ directory, header, width: values.length, syncEveryMs }));
  }

  /** The file that it appends to. */
  get path(): string {
    return this.#file.path;
  }

  /** Lines that were skipped on opening. */
  get damaged(): number {
    return this.#file.damaged;
  }

  /** What the file held when it was opened. */
  entries(): Iterable<StoredValue> {
    return this.#file.entries();
  }

  /** Adds values at the end of the file. */
  append(entries: readonly StoredValue[]): Promise<void> {
    return this.#file.append(entries);
  }

  /** Writes what is queued, syncs and closes; safe to call twice. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
