import { DepthkitError } from "../errors.ts";

/** Indices by value, lowest first; equal values in order of index, so that a choice is repeatable. */
export function ranking(values: readonly number[]): number[] {
  return values
    .map((value, index) => ({ value, index }))
    .sort((a, b) => a.value - b.value || a.index - b.index)
    .map(({ index }) => index);
}

/** The `count` indices of least value. */
export function lowest(values: readonly number[], count: number): number[] {
  if (!Number.isInteger(count) || count < 0 || count > values.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Cannot choose the ${count} lowest of ${values.length} units; ask for a whole number from 0 to ${values.length}.`,
    );
  }
  return ranking(values).slice(0, count);
}
