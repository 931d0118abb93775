import type { z } from "zod";
import { JournalFile } from "./journal-file.ts";
import { objectDigest } from "./key.ts";

const header = { format: "depthkit-steps", version: 1 };

const anyJson = {
  encode: (value: unknown) => JSON.stringify(value),
  decode: (json: string): unknown => JSON.parse(json),
};

/** The finished steps of a run, each on disk before the next one begins. */
export class StepsFile implements AsyncDisposable {
  readonly #file: JournalFile<unknown>;
  readonly #known: Map<string, unknown>;

  private constructor(file: JournalFile<unknown>) {
    this.#file = file;
    this.#known = new Map([...file.entries()].map(({ key, value }) => [key, value]));
  }

  /** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
  static async open(path: string): Promise<StepsFile> {
    return new StepsFile(await JournalFile.open({ path, header, codec: anyJson, syncEveryMs: 0 }));
  }

  /** Lines that were skipped on opening: their steps are done again. */
  get damaged(): number {
    return this.#file.damaged;
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
    await this.#file.append([{ key: digest, value }]);
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
  close(): Promise<void> {
    return this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
