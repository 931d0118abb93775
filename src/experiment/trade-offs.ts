/**
 * What removing by one value costs on the others. Several score lists over the same units (influences, or
 * Shapley values of loss, of accuracy on one task or another) seldom agree on what to remove.
 */
import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import {
  aFunction,
  aNumber,
  anObject,
  aSignal,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  either,
  listOf,
  objectOf,
  required,
} from "../options.ts";
import { correlation, kendallTau, ranking, ranksOf, sharedFirst } from "../ranks.ts";

/** Scores of units under one value; low = remove first. */
export interface UnitScores {
  /** What was scored: `loss`, `mmlu`, `cosine`. */
  name: string;
  scores: Readonly<Record<string, number>>;
}

/** Units in the order to remove them in, such as a search found. */
export interface UnitOrder {
  /** What put them in order: `greedy`, `beam`. */
  name: string;
  /** The first to go first; not all units have to be in it. */
  order: readonly string[];
}

/** How far lists of scores agree, pair by pair. */
export interface TradeOffs {
  names: string[];
  /** The units all lists score, in the first list's order. */
  units: string[];
  /**
   * Spearman's rank correlation of each two lists, ties sharing their mean rank; NaN where one is constant.
   */
  spearman: number[][];
  /** Kendall's tau-b: pairs of units both put in the same order, less those they do not; NaN as above. */
  kendall: number[][];
  /** By k = 1, 2, ...: the share of the k lowest that each two lists have in common. */
  lowestOverlap: number[][][];
}

/** @throws DepthkitError INVALID_ARGUMENT for lists over different units or a score that is no number */
export function compareScores(lists: readonly UnitScores[]): TradeOffs {
  const { names, units, values } = readLists(lists);
  const ranks = values.map((list) => ranksOf(list));
  const orders = values.map((list) => ranking(list));
  const pairs = <T>(of: (a: number, b: number) => T) => names.map((_, a) => names.map((_, b) => of(a, b)));
  return {
    names,
    units,
    spearman: pairs((a, b) => correlation(item(ranks, a), item(ranks, b))),
    kendall: pairs((a, b) => kendallTau(item(values, a), item(values, b))),
    lowestOverlap: units.map((_, index) =>
      pairs((a, b) => sharedFirst(item(orders, a), item(orders, b), index + 1)),
    ),
  };
}

/** What a subnetwork measures without so many units of one list. */
export interface RemovalCost {
  /** The list whose lowest or first units were removed. */
  by: string;
  removed: string[];
  /** What was measured, by name. */
  values: Readonly<Record<string, number>>;
  /** The same less the whole model's. */
  changes: Readonly<Record<string, number>>;
}

/** What removing units by several lists costs. */
export interface RemovalCosts {
  /** The whole model's. */
  whole: Readonly<Record<string, number>>;
  /** One entry per list and count, counts within a list. */
  costs: RemovalCost[];
  /** Subnetworks measured; lists that remove the same units share one. */
  measured: number;
}

/** Measures a subnetwork, given the units it is without, under every value of interest. */
export type MeasureRemoval = (removed: readonly string[]) => Promise<Readonly<Record<string, number>>>;

/** What `measureRemovalCosts` takes. */
export interface RemovalCostOptions {
  /** How many units to remove. */
  counts: readonly number[];
  signal?: AbortSignal;
}

const costChecks: Checks<RemovalCostOptions> = { counts: required(listOf(aNumber)), signal: aSignal };

/**
 * Removes the lowest units of each list, or the first of an order, in turn and measures what that costs under
 * every value: the diagonal is what a list promises, the rest what it does to the others. Lists of scores are
 * over the same units; an order may be over others, and is as long as the largest count.
 *
 * @throws DepthkitError INVALID_ARGUMENT, CANCELLED, and whatever `measure` throws
 */
export async function measureRemovalCosts(
  lists: readonly (UnitScores | UnitOrder)[],
  measure: MeasureRemoval,
  options: RemovalCostOptions,
): Promise<RemovalCosts> {
  checkArgument("measureRemovalCosts", "measure", measure, aFunction);
  checkOptions("measureRemovalCosts", options, costChecks);
  const { counts, signal } = options;
  const orders = readOrders(lists);
  for (const { name, order } of orders) {
    const wrong = counts.find((count) => !Number.isInteger(count) || count < 1 || count > order.length);
    if (wrong === undefined && counts.length > 0) continue;
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Cannot measure the removal of ${wrong ?? "no number"} of ${order.length} units of "${name}"; give ` +
        `whole numbers from 1 to ${order.length}.`,
    );
  }
  const known = new Map<string, Readonly<Record<string, number>>>();
  const measured = async (removed: readonly string[]) => {
    if (signal?.aborted) throw new DepthkitError("CANCELLED", "Measuring trade-offs was cancelled.");
    const key = [...removed].sort().join("+");
    const values = known.get(key) ?? (await measure(removed));
    known.set(key, values);
    return values;
  };
  const whole = await measured([]);
  const costs: RemovalCost[] = [];
  for (const { name: by, order } of orders) {
    for (const count of counts) {
      const removed = order.slice(0, count);
      const values = await measured(removed);
      costs.push({ by, removed, values, changes: difference(values, whole) });
    }
  }
  return { whole, costs, measured: known.size };
}

function difference(
  values: Readonly<Record<string, number>>,
  whole: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value - (whole[name] ?? Number.NaN)]),
  );
}

const someScores = objectOf({
  name: required(aText),
  scores: required(anObject),
} satisfies Checks<UnitScores>);

const anOrder = objectOf({
  name: required(aText),
  order: required(listOf(aText, 1)),
} satisfies Checks<UnitOrder>);

/** Every list as an order: scores lowest first. */
function readOrders(lists: readonly (UnitScores | UnitOrder)[]): UnitOrder[] {
  checkArgument("measureRemovalCosts", "lists", lists, listOf(either(someScores, anOrder), 1));
  checkNames(lists);
  const scored = lists.filter((list) => "scores" in list);
  const { names, units, values } = scored.length === 0 ? nothing : readLists(scored);
  return lists.map((list) => {
    if ("order" in list) return checkOrder(list);
    const order = ranking(item(values, names.indexOf(list.name))).map((index) => item(units, index));
    return { name: list.name, order };
  });
}

const nothing: ReturnType<typeof readLists> = { names: [], units: [], values: [] };

function checkOrder({ name, order }: UnitOrder): UnitOrder {
  const twice = order.find((unit, place) => order.indexOf(unit) !== place);
  if (twice === undefined) return { name, order };
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `The order "${name}" has ${twice} twice, which can go once only. Leave out the second.`,
  );
}

function checkNames(lists: readonly { name: string }[]): void {
  const names = lists.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new DepthkitError("INVALID_ARGUMENT", `Two lists of scores are called "${twice}". Name each once.`);
  }
}

function readLists(lists: readonly UnitScores[]): { names: string[]; units: string[]; values: number[][] } {
  checkArgument("Reading scores", "lists", lists, listOf(someScores));
  const [first] = lists;
  if (first === undefined || Object.keys(first.scores).length === 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "Trade-offs need at least one list of scores over one unit or more.",
    );
  }
  const units = Object.keys(first.scores);
  checkNames(lists);
  const names = lists.map(({ name }) => name);
  const values = lists.map(({ name, scores }) => {
    const own = Object.keys(scores);
    const odd = units.find((unit) => !own.includes(unit)) ?? own.find((unit) => !units.includes(unit));
    if (odd !== undefined) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `The lists "${first.name}" and "${name}" are not over the same units: ${odd} is in one of them ` +
          `only. Score the same units.`,
      );
    }
    return units.map((unit) => finite(scores[unit] ?? Number.NaN, unit, name));
  });
  return { names, units, values };
}

function finite(score: number, unit: string, name: string): number {
  if (Number.isFinite(score)) return score;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `The score of ${unit} in "${name}" is ${score}, which has no rank. Leave the unit out of every list.`,
  );
}
