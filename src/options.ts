/**
 * What a caller gives, checked at the call: options that never cross the wire, and what all refusals of a
 * value share. Nothing is taken for something else (a string for a list of letters), and nothing is ignored.
 */
import { DepthkitError } from "./errors.ts";

/** What a value must be, for messages, and whether one is. */
export interface Check {
  readonly allowed: string;
  readonly holds: (value: unknown) => boolean;
  /** Its own faults, with their paths, where it is made of parts. */
  readonly faults?: (value: unknown, path: string) => readonly Fault[];
  readonly required?: boolean;
}

/** A value that was refused: where it stands in what was given, and why. */
export interface Fault {
  readonly path: string;
  readonly words: string;
}

/** A check for each option that an interface has, and for no other. */
export type Checks<O> = { readonly [K in keyof Required<O>]: Check };

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const kind = (allowed: string, holds: (value: unknown) => boolean): Check => ({ allowed, holds });

export const aText = kind("a string, not empty", (value) => typeof value === "string" && value !== "");
export const aString = kind("a string", (value) => typeof value === "string");
export const aFlag = kind("true or false", (value) => typeof value === "boolean");
export const aFunction = kind("a function", (value) => typeof value === "function");
export const anObject = kind("an object", isObject);
export const aNumber = kind("a number", (value) => typeof value === "number" && !Number.isNaN(value));
export const aSignal = kind(
  "an AbortSignal",
  (value) => isObject(value) && typeof value["aborted"] === "boolean" && "addEventListener" in value,
);

export function aWhole(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const allowed = `a whole number from ${min} ${max === Number.MAX_SAFE_INTEGER ? "on" : `to ${max}`}`;
  return kind(allowed, (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max);
}

export const aNumberAbove = (least: number): Check =>
  kind(`a number above ${least}`, (value) => typeof value === "number" && value > least);

export const anyOf = (...values: readonly unknown[]): Check =>
  kind(`one of ${values.join(", ")}`, (value) => values.includes(value));

export const anInstance = (of: { [Symbol.hasInstance](value: unknown): boolean }, allowed: string): Check =>
  kind(allowed, (value) => of[Symbol.hasInstance](value));

/** One of several forms. What has the shape of one is told its faults, by the one that it is nearest to. */
export function either(...checks: readonly Check[]): Check {
  return {
    allowed: checks.map(({ allowed }) => allowed).join(", or "),
    holds: (value) => checks.some((check) => check.holds(value)),
    faults: (value, path) => {
      const shaped = checks.filter((check) => check.holds(value));
      const found = shaped.map((check) => check.faults?.(value, path) ?? []);
      return found.sort((a, b) => a.length - b.length || depthOf(b) - depthOf(a))[0] ?? [];
    },
  };
}

const depthOf = (faults: readonly Fault[]) => Math.max(0, ...faults.map(({ path }) => path.length));

/** A string is none: its letters would be taken for the items. */
export const listOf = (item: Check, min = 0): Check => ({
  allowed: `a list${min > 0 ? `, not empty,` : ""} whose items are each ${item.allowed}`,
  holds: (value) => Array.isArray(value) && value.length >= min,
  faults: (value, path) =>
    (value as readonly unknown[]).flatMap((one, index) => faultsOf(one, item, join(path, index))),
});

/** An object with a value of the same kind under every name. */
export const recordOf = (item: Check): Check => ({
  allowed: `an object whose values are each ${item.allowed}`,
  holds: isObject,
  faults: (value, path) =>
    Object.entries(value as object).flatMap(([name, one]) => faultsOf(one, item, join(path, name))),
});

/** An object with these options and no others. */
export const objectOf = (checks: Readonly<Record<string, Check>>): Check => ({
  allowed: `an object of ${Object.keys(checks).join(", ")}`,
  holds: isObject,
  faults: (value, path) => faultsOfOptions(value as object, checks, path),
});

export const required = (check: Check): Check => ({ ...check, required: true });

/** What every call that takes its time can be given. */
export const callChecks = { signal: aSignal, onProgress: aFunction } as const;

/** @throws DepthkitError INVALID_ARGUMENT with every fault of the options */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>): void {
  refuse(call, faultsOf(options, objectOf(checks), ""));
}

/** Options that are taken apart before they are checked. */
export function anOptionsObject<O extends object>(call: string, options: O): O {
  checkArgument(call, "options", options, anObject);
  return options;
}

/** @throws DepthkitError INVALID_ARGUMENT with every fault of an argument, which is called `name` */
export function checkArgument(call: string, name: string, value: unknown, check: Check): void {
  refuse(call, faultsOf(value, check, name));
}

/** @throws DepthkitError INVALID_ARGUMENT where there is a fault */
export function refuse(call: string, faults: readonly Fault[], cause?: unknown): void {
  if (faults.length > 0) throw refusal(call, faults, cause);
}

export function refusal(call: string, faults: readonly Fault[], cause?: unknown): DepthkitError {
  const lines = faults.map(({ path, words }) => (path === "" ? words : `${path}: ${words}`));
  // Several stand below each other: a plan may have a dozen.
  const told = lines.length > 1 ? `\n  ${lines.join("\n  ")}` : ` ${lines.join("")}`;
  return new DepthkitError("INVALID_ARGUMENT", `${call}:${told}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { method: call, paths: faults.map(({ path }) => path) },
  });
}

export function faultsOf(value: unknown, check: Check, path: string): readonly Fault[] {
  if (!check.holds(value)) return [{ path, words: `expected ${check.allowed}; got ${shown(value)}.` }];
  return check.faults?.(value, path) ?? [];
}

function faultsOfOptions(value: object, checks: Readonly<Record<string, Check>>, path: string): Fault[] {
  const known = Object.keys(checks);
  const unknown = Object.keys(value).filter((name) => !known.includes(name));
  const faults = unknown.length === 0 ? [] : [{ path, words: unknownOptions(unknown, known) }];
  return [...faults, ...faultsOfKnown(value, checks, path)];
}

/** Of the options that have a check. */
export function faultsOfKnown(
  value: object,
  checks: Readonly<Record<string, Check>>,
  path: string,
): readonly Fault[] {
  return Object.entries(checks).flatMap(([name, check]) => {
    const given = (value as Readonly<Record<string, unknown>>)[name];
    if (given !== undefined) return faultsOf(given, check, join(path, name));
    if (!check.required) return [];
    return [{ path: join(path, name), words: `it is missing; expected ${check.allowed}.` }];
  });
}

export const join = (path: string, key: string | number) => (path === "" ? String(key) : `${path}.${key}`);

/** That there are no such options, which is nearest, and which there are. */
export function unknownOptions(names: readonly string[], known: readonly string[]): string {
  const list = names.map((name) => `"${name}"${didYouMean(name, known)}`).join(", ");
  return `there is no option ${list}; ${known.length > 0 ? `options: ${known.join(", ")}` : "it takes none"}.`;
}

/** Which of the known names one is nearest to, as a hint; empty where none is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, distance: edits(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0] === undefined ? "" : ` (did you mean "${near[0].candidate}"?)`;
}

/** How many letters must be put in, taken out or changed to make one word of the other. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const kept = (row[j] ?? 0) + (to[j] === letter ? 0 : 1);
      next.push(Math.min(kept, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** A value as a message quotes it: long ones by their beginning. */
export function shown(value: unknown): string {
  const text = textOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function textOf(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  }
  const name = Array.isArray(value) ? "Array" : value.constructor?.name;
  // What has a class of its own is told by it: a model as JSON says nothing.
  if (name !== undefined && name !== "Object" && name !== "Array") return `a value of class ${name}`;
  try {
    return JSON.stringify(value);
  } catch {
    return "an object";
  }
}
