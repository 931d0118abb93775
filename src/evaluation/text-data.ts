import { createHash } from "node:crypto";
import type { z } from "zod";
import { type Check, type Fault, isObject, refusal, shown } from "../options.ts";
import { dataSource } from "../protocol/common.ts";
import type { Executor } from "../rpc/executor.ts";
import { fits } from "../rpc/parse-params.ts";
import { filesFor } from "./paths.ts";

/**
 * Text to work on: the path of a file, several files, or texts at hand. `.txt` is one stream whose bytes are
 * kept; files of rows (`.jsonl`, `.jsonl.gz`, `.json`, `.json.gz`, `.csv`, `.tsv`, `.parquet`) hold one text
 * per row, in `textField` ("text" by default). A file may lie on the Hugging Face hub, as
 * `hf://datasets/OWNER/NAME[@REVISION]/PATH`, where `*` in PATH stands for any characters.
 */
export type TextData =
  | string
  | {
      readonly files: readonly string[];
      readonly textField?: string | undefined;
      readonly strict?: boolean | undefined;
    }
  | { readonly texts: readonly string[] };

/**
 * As the wire has it; the contract checks it.
 *
 * @throws DepthkitError INVALID_ARGUMENT where it is none of the forms there are
 */
export function toDataSource(connection: Executor, data: TextData): z.input<typeof dataSource> {
  const form = formOf(data, (paths) => filesFor(connection, paths));
  if (form === undefined) throw refusal("Reading text", [noForm(data, "data")]);
  return form;
}

function formOf(
  data: TextData,
  toPaths: (paths: readonly string[]) => readonly string[],
): z.input<typeof dataSource> | undefined {
  if (typeof data === "string") return { kind: "files", files: toPaths([data]) };
  if (isObject(data) && "texts" in data) return { kind: "texts", ...data };
  if (isObject(data) && "files" in data) return { kind: "files", ...data, files: toPaths(data.files) };
  return undefined;
}

const noForm = (data: unknown, path: string): Fault => ({
  path,
  words: `expected a path, { files: [...] } or { texts: [...] }; got ${shown(data)}.`,
});

/** Text that a caller gives, within its options. */
export const someText: Check = {
  allowed: "text",
  holds: () => true,
  faults: (value, path) => {
    const form = formOf(value as TextData, (paths) => paths);
    return form === undefined ? [noForm(value, path)] : (fits(dataSource).faults?.(form, path) ?? []);
  },
};

/** Tells texts apart by their content: a file keeps its name when its text changes. */
export async function textDigest(connection: Executor, data: TextData): Promise<string> {
  const source = dataSource.parse(toDataSource(connection, data));
  const all = createHash("sha256");
  if (source.kind === "texts") return all.update(JSON.stringify(source.texts)).digest("hex");
  all.update(JSON.stringify([source.textField, source.strict]));
  const { result } = await connection.call("files.digest", { files: source.files });
  for (const digest of result.digests) all.update(Buffer.from(digest, "hex"));
  return all.digest("hex");
}
