import { resolve } from "node:path";
import type { z } from "zod";
import type { rowSource } from "../protocol/common.ts";

/** A task's rows: `.jsonl` or `.jsonl.gz` files, one JSON object a line, or the objects themselves. */
export type TaskData =
  | string
  | readonly string[]
  | { readonly rows: readonly Readonly<Record<string, unknown>>[] };

/** As the wire has it; the contract checks it. */
export function toRowSource(data: TaskData): z.input<typeof rowSource> {
  if (typeof data === "object" && "rows" in data) {
    return { kind: "rows", ...data, rows: data.rows.map((row) => JSON.stringify(row)) };
  }
  const files = typeof data === "string" ? [data] : data;
  return { kind: "files", files: files.map((path) => resolve(path)) };
}

/** Where worked examples come from, in options of both kinds of task. */
export interface ShotsFrom {
  /** Default: the task's own first rows, which are not asked then. */
  shotsFrom?: TaskData | null | undefined;
}

export function toShotsFrom({ shotsFrom }: ShotsFrom) {
  return { shotsFrom: shotsFrom === undefined || shotsFrom === null ? null : toRowSource(shotsFrom) };
}
