import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DepthkitError } from "../errors.ts";
import type { StoredValue, ValueStore } from "./cache.ts";
import {
  decodeEntry,
  encodeEntry,
  headerDigest,
  headerText,
  type JournalHeader,
  type JournalKey,
} from "./journal-format.ts";

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
 * Values of coalitions in an append-only file. A line is written whole before anyone sees its value, so a killed
 * process loses only what was being evaluated; a killed machine also what was written since the last sync. A torn or
 * damaged line is never a hit: it is skipped, counted in `damaged`, and its coalition evaluated again. The file's
 * name is a digest of the key, the players and the values: whatever differs is another file.
 */
export class Journal implements ValueStore, AsyncDisposable {
  readonly path: string;
  /** Lines that were skipped on opening. */
  readonly damaged: number;
  readonly #entries: readonly StoredValue[];
  readonly #file: FileHandle;
  readonly #syncEveryMs: number;
  #queue: Promise<void> = Promise.resolve();
  #syncedAt = Date.now();
  #closed = false;

  private constructor(path: string, file: FileHandle, read: ReadJournal, syncEveryMs: number) {
    this.path = path;
    this.#file = file;
    this.#entries = read.entries;
    this.damaged = read.damaged;
    this.#syncEveryMs = syncEveryMs;
  }

  static async open(options: JournalOptions): Promise<Journal> {
    const header: JournalHeader = {
      format: "depthkit-values",
      version: 1,
      players: options.players,
      values: options.values,
      key: options.key,
    };
    await mkdir(options.directory, { recursive: true });
    const path = join(options.directory, `${headerDigest(header).slice(0, 32)}.jsonl`);
    const read = await readJournal(path, header);
    const file = await open(path, "a");
    // A torn last line is closed, so that what follows starts on a line of its own.
    if (read.needsNewline) await file.appendFile("\n");
    if (read.empty) {
      await file.appendFile(`${headerText(header)}\n`);
      await file.sync();
    }
    return new Journal(path, file, read, options.syncEveryMs ?? 1000);
  }

  /** What the file held when it was opened. */
  entries(): Iterable<StoredValue> {
    return this.#entries;
  }

  append(entries: readonly StoredValue[]): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new DepthkitError(
          "CLOSED",
          `Appending to the journal ${this.path}: it was closed. Open it again to go on.`,
        ),
      );
    }
    const write = this.#queue.then(async () => {
      if (entries.length > 0) await this.#file.appendFile(entries.map(encodeEntry).join(""));
      if (Date.now() - this.#syncedAt >= this.#syncEveryMs) await this.#sync();
    });
    this.#queue = write.catch(() => undefined);
    return write;
  }

  /** Writes what is queued, syncs and closes; safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    await this.#sync();
    await this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    this.#syncedAt = Date.now();
  }
}

interface ReadJournal {
  readonly entries: readonly StoredValue[];
  readonly damaged: number;
  /** No whole header yet: the file is new, or was torn within its first line. */
  readonly empty: boolean;
  readonly needsNewline: boolean;
}

async function readJournal(path: string, header: JournalHeader): Promise<ReadJournal> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      return { entries: [], damaged: 0, empty: true, needsNewline: false };
    }
    throw cause;
  }
  const expected = headerText(header);
  // The last piece is what follows the last line end: nothing, or a line whose end, at least, is missing.
  const lines = text.split("\n");
  const at = lines.indexOf(expected);
  // Only what a torn header leaves behind may come before the header; anything else is another key's file.
  const before = at < 0 ? lines : lines.slice(0, at);
  if (!before.every((line) => expected.startsWith(line))) {
    throw new DepthkitError(
      "UNSUPPORTED_FORMAT",
      `Opening the journal ${path}: its first line is not the header of what is being evaluated. Its values belong to something else: move the file away.`,
      { details: { expected, found: before[0] } },
    );
  }
  const body = at < 0 ? [] : lines.slice(at + 1).filter((line) => line !== "");
  const decoded = body.map((line) => decodeEntry(line, header.values.length));
  const entries = decoded.filter((entry) => entry !== undefined);
  return {
    entries,
    damaged: decoded.length - entries.length,
    empty: at < 0,
    needsNewline: lines.at(-1) !== "",
  };
}
