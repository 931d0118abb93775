import { existsSync } from "node:fs";
import type { z } from "zod";
import { JournalFile } from "./journal-file.ts";
import { objectDigest } from "./key.ts";

const header = { format: "depthkit-steps", version: 1 };

const anyJson = {
  encode: (value: unknown) => JSON.stringify(value),
  decode: (json: string): unknown => JSON.parse(json),
};

const openFile = (path: string): Promise<JournalFile<unknown>> =>
  JournalFile.open({ path, header, codec: anyJson, syncEveryMs: 0 });

/**
 * The finished steps of a run, each on disk before the next one begins. The file is made with the first of
 * them: a run that is refused before leaves nothing behind.
 */
export class StepsFile implements AsyncDisposable {
  readonly #path: string;
  readonly #known: Map<string, unknown>;
  /** Lines that were skipped on opening: their steps are done again. */
  readonly damaged: number;
  #file: Promise<JournalFile<unknown>> | undefined;

  private constructor(path: string, file: JournalFile<unknown> | undefined) {
    this.#path = path;
    this.#known = new Map([...(file?.entries() ?? [])].map(({ key, value }) => [key, value]));
    this.damaged = file?.damaged ?? 0;
    this.#file = file && Promise.resolve(file);
  }

  /** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
  static async open(path: string): Promise<StepsFile> {
    return new StepsFile(path, existsSync(path) ? await openFile(path) : undefined);
  }

  /**
   * What a step gave: from the journal where it is there and what the schema says, else from `work`, which
   * is then written. All that determines it is in its key, which JSON can hold.
   */
  async step<T>(key: object, schema: z.ZodType<T>, work: () => Promise<T>): Promise<T> {
    const known = this.find(key, schema);
    if (known !== undefined) return known;
    const value = await work();
    await this.keep(key, value);
    return value;
  }

  /** What a step gave, where it was finished and is what the schema says. */
  find<T>(key: object, schema: z.ZodType<T>): T | undefined {
    return schema.safeParse(this.#known.get(objectDigest(key))).data;
  }

  /** Writes what a step gave. */
  async keep(key: object, value: unknown): Promise<void> {
    const digest = objectDigest(key);
    this.#file ??= openFile(this.#path);
    const file = await this.#file;
    await file.append([{ key: digest, value }]);
    this.#known.set(digest, value);
  }

  /** Whether a step under this key was finished. */
  knows(key: object): boolean {
    return this.#known.has(objectDigest(key));
  }

  /** Notes that something is about to be done, for whoever goes on after it was interrupted. */
  async mark(key: object): Promise<void> {
    if (!this.knows(key)) await this.keep(key, true);
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
