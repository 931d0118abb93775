import type { RowStore, StoredRow } from "../game/row-cache.ts";
import type { JournalKey } from "../journal/key.ts";
import { openValuesFile, type ValuesFile } from "../journal/values-file.ts";
import type { Measure } from "../protocol/subnetworks.ts";

/**
 * Measures of subnetworks on disk: a file for each measure and everything that determines it, so that whoever
 * asks for one of them, alone or with others, finds it. An entry is a subnetwork's measure and over how many
 * positions or items it is a mean; in memory a row is those of all the measures, one after the other.
 */
export class MeasureStore implements RowStore, AsyncDisposable {
  readonly #files: readonly ValuesFile[];

  private constructor(files: readonly ValuesFile[]) {
    this.#files = files;
  }

  /** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
  static async open(
    directory: string,
    key: Readonly<Record<string, JournalKey>>,
    measures: readonly Measure[],
  ): Promise<MeasureStore> {
    const files: ValuesFile[] = [];
    for (const measure of measures) {
      const header = { format: "depthkit-measure", version: 1, measure, ...key };
      files.push(await openValuesFile({ directory, header, width: 2 }));
    }
    return new MeasureStore(files);
  }

  /** Lines that were skipped on opening: what they held is measured again. */
  get damaged(): number {
    return this.#files.reduce((sum, { damaged }) => sum + damaged, 0);
  }

  /** The subnetworks of which every measure is known. */
  *entries(): Generator<StoredRow> {
    const [first, ...others] = this.#files.map(
      (file) => new Map(Array.from(file.entries(), ({ key, value }) => [key, value])),
    );
    for (const [key, pair] of first ?? []) {
      const pairs = [pair, ...others.flatMap((of) => of.get(key) ?? [])];
      if (pairs.length < this.#files.length) continue;
      yield { key, value: Float64Array.from(pairs.flatMap((numbers) => [...numbers])) };
    }
  }

  async append(rows: readonly StoredRow[]): Promise<void> {
    const pairs = (column: number) =>
      rows.map(({ key, value }) => ({ key, value: value.subarray(2 * column, 2 * column + 2) }));
    await Promise.all(
      this.#files.map((file, column) =>
        // What is no finite number has no form in the journal; it is measured again.
        file.append(pairs(column).filter(({ value }) => value.every(Number.isFinite))),
      ),
    );
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
