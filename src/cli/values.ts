import { InvalidArgumentError } from "commander";
import type { UnitName } from "../index.ts";

/** Reads `3,7`, `10-12`, `attention.5`: bare numbers are blocks, a run names its first and last. */
export function parseUnits(text: string): UnitName[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap(parsePart);
}

function parsePart(part: string): UnitName[] {
  const match = /^(?:(block|attention|feed-forward)\.)?([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(part);
  if (match === null) {
    const hint = /[:[\])]|\.\./.test(part)
      ? " Runs are written first-last, both removed: 10-12 is 10, 11 and 12."
      : "";
    throw new InvalidArgumentError(
      `"${part}" is no unit; write block numbers (3,7), runs (10-12) or attention.5, feed-forward.2.${hint}`,
    );
  }
  const kind = (match[1] ?? "block") as "block" | "attention" | "feed-forward";
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last < first) throw new InvalidArgumentError(`"${part}" runs backwards; write ${last}-${first}.`);
  return Array.from({ length: last - first + 1 }, (_, offset): UnitName => `${kind}.${first + offset}`);
}

/** Reads who stays: units, or `ends`. */
export const parseProtected = (text: string): UnitName[] | "ends" =>
  text === "ends" ? "ends" : parseUnits(text);

/** One number after the other, of a flag that takes several. */
export const growing = (text: string, before: readonly number[] = []): number[] => [
  ...before,
  wholeNumber(1)(text),
];

/** A whole number between bounds, exact in a double. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`"${text}" is no whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function realNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`"${text}" is no number from ${min} to ${max}.`);
    }
    return value;
  };
}
