import { crc32 } from "node:zlib";

/** Some numbers under a name, such as a coalition's values or those of a task's item. */
export interface StoredValue {
  /** Hexadecimal digits. */
  readonly key: string;
  readonly values: Float64Array;
}

/** One entry a line: its key, its values (JSON gives doubles back bit for bit), a checksum of the two. */
export function encodeEntry({ key, values }: StoredValue): string {
  const body = `"${key}",[${values.join(",")}]`;
  return `[${body},"${checksum(body)}"]\n`;
}

/** The entry, or undefined when the line is torn, damaged or of another width than is asked for. */
export function decodeEntry(line: string, width: number | undefined): StoredValue | undefined {
  const match = /^\[("([0-9a-f]+)",\[([^\]]*)\]),"([0-9a-f]{8})"\]$/.exec(line);
  if (match === null) return undefined;
  const [, body = "", key = "", numbers = "", sum = ""] = match;
  if (checksum(body) !== sum) return undefined;
  const values = Float64Array.from(numbers.split(","), Number);
  return values.length === (width ?? values.length) && values.every(Number.isFinite)
    ? { key, values }
    : undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
