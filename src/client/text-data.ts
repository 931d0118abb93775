import { resolve } from "node:path";
import type { DataSource } from "../protocol/common.ts";

/**
 * Text to work on: the path of a file, several files, or texts at hand. `.txt` is one stream whose
 * bytes are kept; `.jsonl` and `.jsonl.gz` hold one text a line, in `textField` ("text" by default).
 */
export type TextData =
  | string
  | { files: readonly string[]; textField?: string; strict?: boolean }
  | { texts: readonly string[] };

export function toDataSource(data: TextData): DataSource {
  if (typeof data === "string") return toDataSource({ files: [data] });
  if ("texts" in data) return { kind: "texts", texts: [...data.texts] };
  return {
    kind: "files",
    paths: data.files.map((path) => resolve(path)),
    textField: data.textField ?? "text",
    strict: data.strict ?? false,
  };
}
