import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { z } from "zod";

const entrySchema = z.object({ key: z.string(), value: z.unknown() });

/**
 * The finished steps of a run, one JSON line each, on disk before the next step begins. A run that was
 * killed finds them again; a last line that was cut short is dropped.
 */
export class Journal {
  readonly #entries = new Map<string, unknown>();
  readonly #file: number;

  constructor(path: string) {
    const { entries, validBytes } = readEntries(path);
    for (const { key, value } of entries) this.#entries.set(key, value);
    this.#file = openSync(path, "a");
    truncateSync(path, validBytes);
  }

  /** The step's result, from the journal where it is there, else from `work`, which is then written. */
  async step<T>(key: unknown, schema: z.ZodType<T>, work: () => Promise<T>): Promise<T> {
    const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex");
    if (this.#entries.has(hash)) return schema.parse(this.#entries.get(hash));
    const value = await work();
    writeSync(this.#file, `${JSON.stringify({ key: hash, value })}\n`);
    fsyncSync(this.#file);
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
  } catch {
    return { entries: [], validBytes: 0 }; // a new run
  }
  // What follows the last line end was being written when the run was killed.
  const validBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, validBytes).toString("utf8").split("\n").slice(0, -1);
  return { entries: lines.map((line) => entrySchema.parse(JSON.parse(line))), validBytes };
}
