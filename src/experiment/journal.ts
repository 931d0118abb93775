import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { asJournalError } from "../journal/file-error.ts";

const entrySchema = z.object({ key: z.string(), value: z.unknown() });

/**
 * The finished steps of a run, one JSON line each, on disk before the next step begins. A run that was
 * killed finds them again; a last line that was cut short is dropped.
 */
export class Journal {
  readonly #entries = new Map<string, unknown>();
  readonly #path: string;
  readonly #file: number;

  /**
   * Makes the file and its folder where they are not there yet.
   *
   * @throws DepthkitError INVALID_ARGUMENT where they cannot be written to
   */
  constructor(path: string) {
    this.#path = path;
    try {
      mkdirSync(dirname(path), { recursive: true });
      const { entries, validBytes } = readEntries(path);
      for (const { key, value } of entries) this.#entries.set(key, value);
      this.#file = openSync(path, "a");
      truncateSync(path, validBytes);
    } catch (error) {
      throw asJournalError(error, path);
    }
  }

  /** The step's result, from the journal where it is there, else from `work`, which is then written. */
  async step<T>(key: unknown, schema: z.ZodType<T>, work: () => Promise<T>): Promise<T> {
    const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex");
    if (this.#entries.has(hash)) return schema.parse(this.#entries.get(hash));
    const value = await work();
    try {
      writeSync(this.#file, `${JSON.stringify({ key: hash, value })}\n`);
      fsyncSync(this.#file);
    } catch (error) {
      throw asJournalError(error, this.#path);
    }
    this.#entries.set(hash, value);
    return value;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readEntries(path: string): { entries: z.infer<typeof entrySchema>[]; validBytes: number } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { entries: [], validBytes: 0 }; // a new run
  }
  // What follows the last line end was being written when the run was killed.
  const validBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, validBytes).toString("utf8").split("\n").slice(0, -1);
  return { entries: lines.map((line) => entrySchema.parse(JSON.parse(line))), validBytes };
}
