import type { StoredValue } from "../journal/entry.ts";
import type { JournalKey } from "../journal/key.ts";
import { ValuesFile } from "../journal/values-file.ts";
import type { ValueStore } from "./cache.ts";

export interface JournalOptions {
  /** Holds one file a key; made when absent. */
  readonly directory: string;
  /** Everything that determines the values: weights, data, measure, dtype, engine version, ... */
  readonly key: JournalKey;
  readonly players: readonly string[];
  readonly values: readonly string[];
  /** Data reach the disk at least this often while batches arrive, and on close; default 1000. */
  readonly syncEveryMs?: number;
}

/**
 * Values of coalitions in an append-only file, one file for each key, players and values together. A killed process
 * loses only what was being evaluated; a torn or damaged line is counted in `damaged` and its coalition evaluated again.
 */
export class Journal implements ValueStore, AsyncDisposable {
  readonly #file: ValuesFile;

  private constructor(file: ValuesFile) {
    this.#file = file;
  }

  static async open({ directory, key, players, values, syncEveryMs }: JournalOptions): Promise<Journal> {
    const header = { format: "depthkit-values", version: 1, players, values, key };
    const sync = syncEveryMs === undefined ? {} : { syncEveryMs };
    return new Journal(await ValuesFile.open({ directory, header, width: values.length, ...sync }));
  }

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

  append(entries: readonly StoredValue[]): Promise<void> {
    return this.#file.append(entries);
  }

  /** Writes what is queued, syncs and closes; safe to call twice. */
  close(): Promise<void> {
    return this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
