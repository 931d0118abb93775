import { crc32 } from "node:zlib";

/** Something under a name: a coalition's values, those of a task's item, what a step of a plan gave. */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
}

/** How what a journal holds is written: as JSON on one line, and back. */
export interface Codec<T> {
  encode(value: T): string;
  /** Undefined for JSON that is none of its values. */
  decode(json: string): T | undefined;
}

/** One entry per line: its key, its value, a checksum of the two. */
export function encodeLine<T>({ key, value }: Entry<T>, codec: Codec<T>): string {
  const body = `"${key}",${codec.encode(value)}`;
  return `[${body},"${checksum(body)}"]\n`;
}

/** The entry, or undefined where the line is torn or damaged or holds no value of the codec's. */
export function decodeLine<T>(line: string, codec: Codec<T>): Entry<T> | undefined {
  const match = /^\[("([0-9a-f]+)",(.*)),"([0-9a-f]{8})"\]$/.exec(line);
  const [, body = "", key = "", json = "", sum = ""] = match ?? [];
  if (match === null || checksum(body) !== sum) return undefined;
  const value = codec.decode(json);
  return value === undefined ? undefined : { key, value };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
