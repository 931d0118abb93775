import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { StoredValue } from "./cache.ts";

/** Anything JSON can hold: what determines a game's values (weights, removed units, data, measure, dtype, engine). */
export type JournalKey =
  | null
  | boolean
  | number
  | string
  | readonly JournalKey[]
  | { readonly [name: string]: JournalKey };

/** The first line of a journal. */
export interface JournalHeader {
  readonly format: "depthkit-values";
  readonly version: 1;
  readonly players: readonly string[];
  readonly values: readonly string[];
  readonly key: JournalKey;
}

/** JSON with object keys in order, so that equal keys give equal text. */
export function canonicalJson(value: JournalKey): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value as { readonly [name: string]: JournalKey });
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

export function headerText(header: JournalHeader): string {
  return canonicalJson(header as unknown as JournalKey);
}

/** Names a journal: a digest of everything its values depend on. */
export function headerDigest(header: JournalHeader): string {
  return createHash("sha256").update(headerText(header)).digest("hex");
}

/** One coalition a line: its key, its values (JSON gives doubles back bit for bit), a checksum of the two. */
export function encodeEntry({ key, values }: StoredValue): string {
  const body = `"${key}",[${values.join(",")}]`;
  return `[${body},"${checksum(body)}"]\n`;
}

/** The entry, or undefined when the line is torn, damaged or of another width. */
export function decodeEntry(line: string, width: number): StoredValue | undefined {
  const match = /^\[("([0-9a-f]+)",\[([^\]]*)\]),"([0-9a-f]{8})"\]$/.exec(line);
  if (match === null) return undefined;
  const [, body = "", key = "", numbers = "", sum = ""] = match;
  if (checksum(body) !== sum) return undefined;
  const values = Float64Array.from(numbers.split(","), Number);
  return values.length === width && values.every(Number.isFinite) ? { key, values } : undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
