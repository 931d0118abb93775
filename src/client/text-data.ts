import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { DepthkitError } from "../errors.ts";
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

/** Tells texts apart by their content: a file keeps its name when its text changes. */
export async function textDigest(source: DataSource): Promise<string> {
  const all = createHash("sha256");
  if (source.kind === "texts") return all.update(JSON.stringify(source.texts)).digest("hex");
  all.update(JSON.stringify([source.textField, source.strict]));
  for (const path of source.paths) {
    const file = createHash("sha256");
    try {
      await pipeline(createReadStream(path), file);
    } catch (cause) {
      const message = `Reading text to evaluate on: ${path} cannot be read. Check the path.`;
      throw new DepthkitError("FILE_NOT_FOUND", message, { cause });
    }
    all.update(file.digest());
  }
  return all.digest("hex");
}
