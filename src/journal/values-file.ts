import { join } from "node:path";
import type { Codec, Entry } from "./entry.ts";
import { JournalFile } from "./journal-file.ts";
import { type JournalKey, keyDigest } from "./key.ts";

/** Some numbers under a name in hexadecimal digits. */
export type StoredValue = Entry<Float64Array>;

/** A journal of numbers. */
export type ValuesFile = JournalFile<Float64Array>;

export interface ValuesFileOptions {
  /** Holds one file per header, named by its digest: whatever differs in anything is another file. */
  readonly directory: string;
  readonly header: JournalKey;
  /** How many values an entry has. Default: any number. */
  readonly width?: number | undefined;
  readonly syncEveryMs?: number | undefined;
}

const SYNC_EVERY_MS = 1000;

/** @throws DepthkitError INVALID_ARGUMENT, DISK_FULL, UNSUPPORTED_FORMAT */
export function openValuesFile(options: ValuesFileOptions): Promise<ValuesFile> {
  const { directory, header, width, syncEveryMs = SYNC_EVERY_MS } = options;
  const path = join(directory, `${keyDigest(header).slice(0, 32)}.jsonl`);
  return JournalFile.open({ path, header, codec: numbers(width), syncEveryMs });
}

/** JSON gives finite doubles back bit for bit. */
function numbers(width: number | undefined): Codec<Float64Array> {
  return {
    encode: (values) => `[${values.join(",")}]`,
    decode(json) {
      const list = /^\[([^\]]*)\]$/.exec(json)?.[1];
      if (list === undefined) return undefined;
      const values = Float64Array.from(list.split(","), Number);
      return values.length === (width ?? values.length) && values.every(Number.isFinite) ? values : undefined;
    },
  };
}
