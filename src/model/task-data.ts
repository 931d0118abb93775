import type { z } from "zod";
import { filesFor } from "../evaluation/paths.ts";
import { isObject, refusal, shown } from "../options.ts";
import type { rowSource } from "../protocol/common.ts";
import type { Executor } from "../rpc/executor.ts";

/**
 * A task's rows: files (`.jsonl`, `.jsonl.gz` or `.json.gz`, a JSON object per line; `.json`, a list of them;
 * `.csv`, `.tsv` and `.parquet`), or the objects themselves. Files may lie on the Hugging Face hub:
 * `hf://datasets/OWNER/NAME/PATH`.
 */
export type TaskData =
  | string
  | readonly string[]
  | { readonly rows: readonly Readonly<Record<string, unknown>>[] };

/**
 * As the wire has it; the contract checks it.
 *
 * @throws DepthkitError INVALID_ARGUMENT where it is none of the forms there are
 */
export function toRowSource(connection: Executor, data: TaskData, name = "data"): z.input<typeof rowSource> {
  if (typeof data === "string") return { kind: "files", files: filesFor(connection, [data]) };
  if (Array.isArray(data)) return { kind: "files", files: filesFor(connection, data) };
  if (isObject(data) && "rows" in data) {
    return { kind: "rows", ...data, rows: listOfRows(data.rows, `${name}.rows`) };
  }
  const words = `expected a path, a list of paths or { rows: [...] }; got ${shown(data)}.`;
  throw refusal("Reading a task", [{ path: name, words }]);
}

function listOfRows(rows: unknown, path: string): string[] {
  if (!Array.isArray(rows)) {
    throw refusal("Reading a task", [{ path, words: `expected a list of objects; got ${shown(rows)}.` }]);
  }
  return rows.map((row: unknown, index) => {
    const text = isObject(row) ? asJson(row) : undefined;
    if (text !== undefined) return text;
    const words = `expected an object that has a form in JSON; got ${shown(row)}.`;
    throw refusal("Reading a task", [{ path: `${path}.${index}`, words }]);
  });
}

/** Undefined for what JSON does not hold: it would leave out a function, and write null for NaN. */
function asJson(row: object): string | undefined {
  const lossless = (_: string, value: unknown) => {
    const lost = typeof value === "number" ? !Number.isFinite(value) : /function|symbol/.test(typeof value);
    if (lost) throw new TypeError("JSON does not hold it");
    return value;
  };
  try {
    return JSON.stringify(row, lossless);
  } catch {
    return undefined;
  }
}

/** Where worked examples come from, in options of both kinds of task. */
export interface ShotsFrom {
  /** Default: the task's own first rows, which are not asked then. */
  shotsFrom?: TaskData | null | undefined;
}

export function toShotsFrom(connection: Executor, { shotsFrom }: ShotsFrom) {
  const none = shotsFrom === undefined || shotsFrom === null;
  return { shotsFrom: none ? null : toRowSource(connection, shotsFrom, "shotsFrom") };
}
