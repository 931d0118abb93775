import { DepthkitError } from "./errors.ts";

/*
 * Reading what is known to be there. A place that is absent is a fault of depthkit's own, never a default.
 * The inner loops of the estimators read through these, so each serves one kind of array and stays quick: V8
 * keeps what it has seen of arrays by function.
 */

export function item<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw absent(list.length, index);
  return found;
}

export function real(vector: Float64Array, index: number): number {
  const number = vector[index];
  if (number === undefined) throw absent(vector.length, index);
  return number;
}

/** Adds to the number at a place of a vector. */
export function add(vector: Float64Array, index: number, amount: number): void {
  const number = vector[index];
  if (number === undefined) throw absent(vector.length, index);
  vector[index] = number + amount;
}

/**
 * `start` less the products of `count` numbers of one vector with as many of another, each from a place on.
 */
export function lessProducts(
  start: number,
  a: Float64Array,
  fromA: number,
  b: Float64Array,
  fromB: number,
  count: number,
): number {
  if (fromA + count > a.length) throw absent(a.length, fromA + count - 1);
  if (fromB + count > b.length) throw absent(b.length, fromB + count - 1);
  let sum = start;
  // All are there, so nothing is ever NaN for want of a number; the innermost loop of a fit is worth the
  // shortcut.
  for (let k = 0; k < count; k++) sum -= (a[fromA + k] ?? Number.NaN) * (b[fromB + k] ?? Number.NaN);
  return sum;
}

/** Adds to the numbers of a vector from one place on `factor` times `count` numbers of another. */
export function addScaled(
  vector: Float64Array,
  from: number,
  factor: number,
  other: Float64Array,
  otherFrom: number,
  count: number,
): void {
  for (let k = 0; k < count; k++) add(vector, from + k, factor * real(other, otherFrom + k));
}

/** The whole number at a place of a packed list. */
export function whole(words: Uint32Array | Uint16Array, index: number): number {
  const word = words[index];
  if (word === undefined) throw absent(words.length, index);
  return word;
}

/** What is there by rights, such as the next of a sequence that has more. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) {
    throw new DepthkitError("INTERNAL", `Reading ${what}: there is none. Please report it.`);
  }
  return value;
}

export function entry<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) {
    throw new DepthkitError(
      "INTERNAL",
      `Reading a map of ${map.size} keys: ${String(key)} is none of them. Please report it.`,
    );
  }
  return value;
}

function absent(length: number, index: number): DepthkitError {
  return new DepthkitError(
    "INTERNAL",
    `Reading a list of ${length} items: there is none at ${index}. Please report it.`,
  );
}

/** What has the same key, together, in the order of first appearance. */
export function groupBy<K, V>(items: Iterable<V>, key: (item: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const one of items) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return groups;
}
