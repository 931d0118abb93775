import { real } from "../arrays.ts";
import { Coalition } from "../game/coalition.ts";
import type { Draft, ValueDraft } from "./draft.ts";
import type { Functional } from "./functional.ts";
import { choose } from "./target.ts";
import type { ValueTable } from "./value-table.ts";

/** A draft that knows what it may have missed. */
export interface JudgedDraft extends ValueDraft {
  /**
   * The variance that coalitions not evaluated may hide, did they differ from the rest by all that was seen
   * to differ.
   */
  readonly unseen: number;
  /** Differences up to this are rounding and rank nobody. */
  readonly rounding: number;
}

export interface JudgedDrafts extends Draft {
  readonly values: readonly JudgedDraft[];
}

/**
 * By number of removed players: what one random coalition of that size, standing for all, adds to a number's
 * variance.
 */
export type Leverages = Float64Array;

/**
 * The leverages of a linear map. Its numbers are alike but for who is who, so the mean over them at one
 * coalition is the mean over all coalitions of that size.
 */
export function leveragesOf(functional: Functional): Leverages {
  const { players, reach } = functional;
  const leverages = new Float64Array(Math.min(reach, players) + 1);
  const sums = new Float64Array(functional.size);
  for (let removed = 0; removed < leverages.length; removed++) {
    sums.fill(0);
    const absent = Array.from({ length: removed }, (_, i) => i);
    functional.add(sums, Coalition.without(players, absent), choose(players, removed));
    leverages[removed] = sums.reduce((sum, x) => sum + x * x, 0) / sums.length;
  }
  return leverages;
}

/**
 * The part of the range of what was seen by which an unseen coalition may be off, in a reported error: half
 * for estimators that know values only, a fifth where a model has learnt from them.
 */
const offByHalf = 0.5;
const offByAFifth = 0.2;
/** Sums of numbers of size 1 in a different order differ by less than this. */
const roundingOfOne = 2 ** -40;
/** Sizes with fewer draws are looked at together, as the samplers draw them. */
const thin = 4;

export interface Judging {
  readonly table: ValueTable;
  readonly players: number;
  readonly leverages: Leverages;
  /** A model speaks for what was not drawn. */
  readonly modelled: boolean;
}

/**
 * No sampler may trust a variance that it did not see: that all draws agree is no proof that the rest does.
 * By the rule of succession, after m draws about one in m + 1 of what was not drawn is unlike anything seen;
 * of how far it is off nothing is known but the range of the values. What this may do to an estimate is
 * `unseen`; a reported variance is never below a share of it, and 0 only when nothing is left to draw.
 */
export function judge(draft: Draft, { table, players, leverages, modelled }: Judging): JudgedDrafts {
  const share = unseenShare(table, players, leverages);
  const values = draft.values.map((one, value): JudgedDraft => {
    const { least, most } = table.range(value);
    const rounding = roundingOfOne * Math.max(Math.abs(least), Math.abs(most));
    // Where all that was seen is the same there is no scale but the values' own.
    const scale = most - least > rounding ? most - least : Math.max(Math.abs(least), Math.abs(most));
    const unseen = share * scale ** 2;
    const floor = unseen > 0 ? (modelled ? offByAFifth : offByHalf) ** 2 * unseen + rounding ** 2 : 0;
    return { ...lifted(one, floor), unseen, rounding };
  });
  return { values, draws: draft.draws };
}

/** `unseen` for values that range over 1. */
function unseenShare(table: ValueTable, players: number, leverages: Leverages): number {
  const sizes = Array.from(leverages, (leverage, removed) => ({
    leverage,
    population: choose(players, removed),
    drawn: table.without(removed),
  })).filter(({ population, drawn, leverage }) => leverage > 0 && drawn < population);
  const thinSizes = sizes.filter(({ drawn }) => drawn < thin);
  const thinDraws = thinSizes.reduce((sum, { drawn }) => sum + drawn, 0);
  const whenThin = Math.max(thinDraws, 1) / Math.max(thinSizes.length, 1);
  const draws = sizes.reduce((sum, { drawn }) => sum + drawn, 0);
  let share = 0;
  for (const { leverage, population, drawn } of sizes) {
    const effective = drawn < thin ? whenThin : drawn;
    share += (leverage * (1 - drawn / population)) / effective;
  }
  return share / (draws + 1);
}

/**
 * The degrees of freedom of a variance with `degrees` of them and one for what was not seen, which is as well
 * known as there are independent `units` that show nothing of it (Satterthwaite 1946).
 */
export function jointDegrees(seen: number, degrees: number, unseen: number, units: number): number {
  const together = seen ** 2 / degrees + unseen ** 2 / Math.max(1, units - 1);
  return together > 0 ? Math.max(1, (seen + unseen) ** 2 / together) : Number.POSITIVE_INFINITY;
}

/** Raises each variance to the floor, and the factors with them. */
function lifted(draft: ValueDraft, floor: number): ValueDraft {
  if (!draft.variance.some((variance) => variance < floor)) return draft;
  const variance = draft.variance.map((v) => Math.max(v, floor));
  const stretch = draft.variance.map((v) => (v > 0 && v < floor ? Math.sqrt(floor / v) : 1));
  const factors = draft.factors.map((row) => row.map((x, i) => x * real(stretch, i)));
  for (const [i, v] of draft.variance.entries()) {
    if (v > 0) continue;
    const row = new Float64Array(variance.length);
    row[i] = Math.sqrt(floor);
    factors.push(row);
  }
  const degrees = draft.degrees.map((d, i) => {
    const seen = real(draft.variance, i);
    return seen < floor ? jointDegrees(seen, d, floor - seen, draft.units) : d;
  });
  return { ...draft, variance, factors, degrees };
}
