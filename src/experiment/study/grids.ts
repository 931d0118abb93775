/** Grids: `{ each: [...] }` in place of an option means that everything is done for each of its values. */
import { isObject } from "../../options.ts";

/** One of the entries that an entry with grids stands for. */
export interface Spelled {
  readonly value: unknown;
  /** What was taken from each of its grids, in order, for its name. */
  readonly taken: readonly unknown[];
}

const isGrid = (value: unknown): value is { each: readonly unknown[] } =>
  isObject(value) && Array.isArray(value["each"]) && Object.keys(value).length === 1;

/** Every combination of the values of all grids in it, the last one changing fastest. */
export function spellOut(value: unknown): Spelled[] {
  if (isGrid(value)) {
    return value.each.flatMap((one) =>
      spellOut(one).map((spelled) => ({ ...spelled, taken: [one, ...spelled.taken] })),
    );
  }
  if (Array.isArray(value)) {
    return combine(value.map(spellOut)).map((parts) => ({
      value: parts.map((part) => part.value),
      taken: parts.flatMap((part) => part.taken),
    }));
  }
  if (!isObject(value)) return [{ value, taken: [] }];
  const names = Object.keys(value);
  return combine(names.map((name) => spellOut(value[name]))).map((parts) => ({
    value: Object.fromEntries(names.map((name, at) => [name, parts[at]?.value])),
    taken: parts.flatMap((part) => part.taken),
  }));
}

function combine(choices: readonly (readonly Spelled[])[]): Spelled[][] {
  return choices.reduce<Spelled[][]>(
    (all, options) => all.flatMap((before) => options.map((one) => [...before, one])),
    [[]],
  );
}
