import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { type Check, type Fault, isObject, refusal, shown } from "../options.ts";
import { absolutePath } from "../platform/absolute-path.ts";
import { dataSource } from "../protocol/common.ts";
import { fits } from "../rpc/parse-params.ts";

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

/**
 * As the wire has it; the contract checks it.
 *
 * @throws DepthkitError INVALID_ARGUMENT where it is none of the forms there are
 */
export function toDataSource(data: TextData): z.input<typeof dataSource> {
  const form = formOf(data);
  if (form === undefined) throw refusal("Reading text", [noForm(data, "data")]);
  return form;
}

function formOf(data: TextData): z.input<typeof dataSource> | undefined {
  if (typeof data === "string") return { kind: "files", files: [absolutePath(data)] };
  if (isObject(data) && "texts" in data) return { kind: "texts", ...data };
  if (isObject(data) && "files" in data) return { kind: "files", ...data, files: absolutePaths(data.files) };
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
    const form = formOf(value as TextData);
    return form === undefined ? [noForm(value, path)] : (fits(dataSource).faults?.(form, path) ?? []);
  },
};

/** A list of paths, made absolute; whatever else it is, the contract refuses. */
export function absolutePaths(paths: readonly string[]): readonly string[] {
  return Array.isArray(paths) ? paths.map(absolutePath) : paths;
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
