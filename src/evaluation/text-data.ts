import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { dataSource } from "../protocol/common.ts";

/**
 * Text to work on: the path of a file, several files, or texts at hand. `.txt` is one stream whose
 * bytes are kept; `.jsonl` and `.jsonl.gz` hold one text a line, in `textField` ("text" by default).
 */
export type TextData =
  | string
  | {
      readonly files: readonly string[];
      readonly textField?: string | undefined;
      readonly strict?: boolean | undefined;
    }
  | { readonly texts: readonly string[] };

/** As the wire has it; the contract checks it. */
export function toDataSource(data: TextData): z.input<typeof dataSource> {
  if (typeof data === "string") return { kind: "files", files: [resolve(data)] };
  if ("texts" in data) return { kind: "texts", ...data };
  return { kind: "files", ...data, files: data.files.map((path) => resolve(path)) };
}

/** Tells texts apart by their content: a file keeps its name when its text changes. */
export async function textDigest(data: TextData): Promise<string> {
  const source = dataSource.parse(toDataSource(data));
  const all = createHash("sha256");
  if (source.kind === "texts") return all.update(JSON.stringify(source.texts)).digest("hex");
  all.update(JSON.stringify([source.textField, source.strict]));
  for (const path of source.files) {
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
