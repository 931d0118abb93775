import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DepthkitError } from "../errors.ts";
import { decodeEntry, encodeEntry, type StoredValue } from "./entry.ts";
import { asJournalError } from "./file-error.ts";
import { canonicalJson, type JournalKey, keyDigest } from "./key.ts";

export interface ValuesFileOptions {
  /** Holds one file a header; made when absent. */
  readonly directory: string;
  /** The first line: what the file holds, and everything that determines it. */
  readonly header: JournalKey;
  /** How many values an entry has. Default: any number. */
  readonly width?: number;
  /** Data reach the disk at least this often while batches arrive, and on close; default 1000. */
  readonly syncEveryMs?: number;
}

/**
 * Values in an append-only file. A line is written whole before anyone sees its value, so a killed process loses
 * only what was being evaluated; a killed machine also what was written since the last sync. A torn or damaged line
 * is never a hit: it is skipped and counted in `damaged`. The file's name is a digest of its header: whatever
 * differs is another file.
 */
export class ValuesFile implements AsyncDisposable {
  readonly path: string;
  /** Lines that were skipped on opening. */
  readonly damaged: number;
  readonly #entries: readonly StoredValue[];
  readonly #file: FileHandle;
  readonly #syncEveryMs: number;
  #queue: Promise<void> = Promise.resolve();
  #syncedAt = Date.now();
  #closed = false;

  private constructor(path: string, file: FileHandle, read: ReadFile, syncEveryMs: number) {
    this.path = path;
    this.#file = file;
    this.#entries = read.entries;
    this.damaged = read.damaged;
    this.#syncEveryMs = syncEveryMs;
  }

  /** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
  static async open({
    directory,
    header,
    width,
    syncEveryMs = 1000,
  }: ValuesFileOptions): Promise<ValuesFile> {
    const path = join(directory, `${keyDigest(header).slice(0, 32)}.jsonl`);
    try {
      return await ValuesFile.#open(path, directory, header, width, syncEveryMs);
    } catch (error) {
      throw asJournalError(error, path);
    }
  }

  static async #open(
    path: string,
    directory: string,
    header: JournalKey,
    width: number | undefined,
    syncEveryMs: number,
  ): Promise<ValuesFile> {
    await mkdir(directory, { recursive: true });
    const first = canonicalJson(header);
    const read = await readFileOf(path, first, width);
    const file = await open(path, "a");
    // A torn last line is closed, so that what follows starts on a line of its own.
    if (read.needsNewline) await file.appendFile("\n");
    if (read.empty) {
      await file.appendFile(`${first}\n`);
      await file.sync();
    }
    return new ValuesFile(path, file, read, syncEveryMs);
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
    const write = this.#queue.then(() =>
      this.#writing(async () => {
        if (entries.length > 0) await this.#file.appendFile(entries.map(encodeEntry).join(""));
        if (Date.now() - this.#syncedAt >= this.#syncEveryMs) await this.#sync();
      }),
    );
    this.#queue = write.catch(() => undefined);
    return write;
  }

  /** Writes what is queued, syncs and closes; safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    try {
      await this.#writing(() => this.#sync());
    } finally {
      await this.#file.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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

interface ReadFile {
  readonly entries: readonly StoredValue[];
  readonly damaged: number;
  /** No whole header yet: the file is new, or was torn within its first line. */
  readonly empty: boolean;
  readonly needsNewline: boolean;
}

async function readFileOf(path: string, expected: string, width: number | undefined): Promise<ReadFile> {
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
      `Opening the journal ${path}: its first line is not the header of what is being evaluated. Its values belong to something else: move the file away.`,
      { details: { expected, found: before[0] } },
    );
  }
  const body = at < 0 ? [] : lines.slice(at + 1).filter((line) => line !== "");
  const decoded = body.map((line) => decodeEntry(line, width));
  const entries = decoded.filter((entry) => entry !== undefined);
  return {
    entries,
    damaged: decoded.length - entries.length,
    empty: at < 0,
    needsNewline: lines.at(-1) !== "",
  };
}
