import { createHash } from "node:crypto";

/**
 * Anything JSON can hold: what determines a journal's values (weights, removed units, data, measure, dtype,
 * engine).
 */
export type JournalKey =
  | null
  | boolean
  | number
  | string
  | readonly JournalKey[]
  | { readonly [name: string]: JournalKey };

/** Whether JSON holds all of it: what it leaves out would tell no keys apart. */
export function isJournalKey(value: unknown): value is JournalKey {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) {
    return value === null || typeof value === "boolean" || typeof value === "string";
  }
  return Object.values(value).every(isJournalKey);
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

/** The same of an object as JSON makes it: what is undefined in it, or a function, is not there. */
export function objectDigest(object: object): string {
  return keyDigest(JSON.parse(JSON.stringify(object)) as JournalKey);
}

/** Tells keys apart: a digest of everything in them. */
export function keyDigest(key: JournalKey): string {
  return createHash("sha256").update(canonicalJson(key)).digest("hex");
}
