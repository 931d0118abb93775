import { item } from "../arrays.ts";
import type { Random } from "./random.ts";

/**
 * Cuts a random order into consecutive runs of `length`, going round at the end so that the last is whole:
 * each run is a uniformly random arrangement, and together they touch every one of the `n` at least once.
 */
export function randomWindows(n: number, length: number, random: Random): number[][] {
  return windowsOf(random.permutation(n), length);
}

export function windowsOf(order: readonly number[], length: number): number[][] {
  const n = order.length;
  return Array.from({ length: Math.ceil(n / length) }, (_, w) =>
    Array.from({ length }, (_, k) => item(order, (w * length + k) % n)),
  );
}
