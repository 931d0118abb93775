import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DepthkitError } from "../errors.ts";
import { type Codec, decodeLine, type Entry, encodeLine } from "./entry.ts";
import { asJournalError } from "./file-error.ts";
import { canonicalJson, type JournalKey } from "./key.ts";

export interface JournalFileOptions<T> {
  /** Made when absent, with its folder. */
  readonly path: string;
  /** The first line: what the file holds, and everything that determines it. */
  readonly header: JournalKey;
  readonly codec: Codec<T>;
  /** Data reach the disk at least this often while entries arrive, and on close; 0: with each. */
  readonly syncEveryMs: number;
}

/**
 * An append-only file of entries. A line is written whole before anyone sees its value, so a killed process
 * loses only what was being computed; a killed machine also what was written since the last sync. A torn or
 * damaged line is never a hit: it is skipped and counted in `damaged`, and what it held is computed again.
 */
export class JournalFile<T> implements AsyncDisposable {
  readonly path: string;
  /** Lines that were skipped on opening. */
  readonly damaged: number;
  readonly #entries: readonly Entry<T>[];
  readonly #codec: Codec<T>;
  readonly #file: FileHandle;
  readonly #syncEveryMs: number;
  #queue: Promise<void> = Promise.resolve();
  #syncedAt = Date.now();
  #closing: Promise<void> | undefined;

  private constructor(
    { path, codec, syncEveryMs }: JournalFileOptions<T>,
    file: FileHandle,
    { entries, damaged }: ReadFile<T>,
  ) {
    this.path = path;
    this.damaged = damaged;
    this.#entries = entries;
    this.#codec = codec;
    this.#file = file;
    this.#syncEveryMs = syncEveryMs;
  }

  /** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
  static async open<T>(options: JournalFileOptions<T>): Promise<JournalFile<T>> {
    try {
      await mkdir(dirname(options.path), { recursive: true });
      const first = canonicalJson(options.header);
      const read = await readFileOf(options.path, first, options.codec);
      const file = await open(options.path, "a");
      // A torn last line is closed, so that what follows starts on a line of its own.
      if (read.needsNewline) await file.appendFile("\n");
      if (read.empty) {
        await file.appendFile(`${first}\n`);
        await file.sync();
      }
      return new JournalFile(options, file, read);
    } catch (error) {
      throw asJournalError(error, options.path);
    }
  }

  /** What the file held when it was opened. */
  entries(): Iterable<Entry<T>> {
    return this.#entries;
  }

  append(entries: readonly Entry<T>[]): Promise<void> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new DepthkitError(
          "CLOSED",
          `Appending to the journal ${this.path}: it was closed. Open it again to go on.`,
        ),
      );
    }
    const write = this.#queue.then(() =>
      this.#writing(async () => {
        const lines = entries.map((entry) => encodeLine(entry, this.#codec));
        if (lines.length > 0) await this.#file.appendFile(lines.join(""));
        if (Date.now() - this.#syncedAt >= this.#syncEveryMs) await this.#sync();
      }),
    );
    this.#queue = write.catch(() => undefined);
    return write;
  }

  /** Writes what is queued, syncs and closes; safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#queue;
    try {
      await this.#writing(() => this.#sync());
    } finally {
      await this.#file.close();
    }
  }

  async #writing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw asJournalError(error, this.path);
    }
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    this.#syncedAt = Date.now();
  }
}

interface ReadFile<T> {
  readonly entries: readonly Entry<T>[];
  readonly damaged: number;
  /** No whole header yet: the file is new, or was torn within its first line. */
  readonly empty: boolean;
  readonly needsNewline: boolean;
}

async function readFileOf<T>(path: string, expected: string, codec: Codec<T>): Promise<ReadFile<T>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      return { entries: [], damaged: 0, empty: true, needsNewline: false };
    }
    throw cause;
  }
  // The last piece is what follows the last line end: nothing, or a line whose end, at least, is missing.
  const lines = text.split("\n");
  const at = lines.indexOf(expected);
  // Only what a torn header leaves behind may come before the header; anything else is another key's file.
  const before = at < 0 ? lines : lines.slice(0, at);
  if (!before.every((line) => expected.startsWith(line))) {
    throw new DepthkitError(
      "UNSUPPORTED_FORMAT",
      `Opening the journal ${path}: its first line is not the header of what is being evaluated. Its ` +
        `values belong to something else: move the file away.`,
      { details: { expected, found: before[0] } },
    );
  }
  const body = at < 0 ? [] : lines.slice(at + 1).filter((line) => line !== "");
  const decoded = body.map((line) => decodeLine(line, codec));
  const entries = decoded.filter((entry) => entry !== undefined);
  return {
    entries,
    damaged: decoded.length - entries.length,
    empty: at < 0,
    needsNewline: lines.at(-1) !== "",
  };
}
