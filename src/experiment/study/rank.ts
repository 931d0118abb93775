/** What each ranking of a plan says goes, at each of the plan's removals. */
import { join } from "node:path";
import { item } from "../../arrays.ts";
import type { Corpus } from "../../model/corpus.ts";
import { influenceScores, isGradientMetric } from "../../model/search/influence-scores.ts";
import type { CostName } from "../../model/search/names.ts";
import type { ModelSearchOptions } from "../../model/search/options.ts";
import { type MadeRepairs, type MakeSubnetwork, searchModel } from "../../model/search/search.ts";
import { playersOf } from "../../model/search/settle.ts";
import type { UnitCosts } from "../../model/search/unit-costs.ts";
import type { Task } from "../../model/task.ts";
import type { UnitName } from "../../protocol/common.ts";
import { checkUnits, parseUnit } from "../../protocol/units.ts";
import { ranking as ranked } from "../../ranks.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { BlockPattern } from "../../selection/pattern.ts";
import { spaceOf } from "../../selection/space-of.ts";
import type { ShapleyEstimate } from "../../shapley/estimate.ts";
import { estimateShapley } from "../../shapley/estimate-shapley.ts";
import type { EstimateOptions } from "../../shapley/options.ts";
import { isItsOwn } from "../own-fault.ts";
import type { Condition, OpenModel } from "./open.ts";
import type { SettledPlan, SettledRanking } from "./plan.ts";
import type { Ranked } from "./record.ts";

/** What a ranking is made with. */
export interface RankWork {
  readonly opened: OpenModel;
  readonly condition: Condition;
  readonly removals: SettledPlan["removals"];
  /** A format that each set must go into. */
  readonly exportable: SettledPlan["exportable"];
  readonly costs: UnitCosts;
  /** Of this draw. */
  readonly seed: number;
  /** What games and searches measured is kept here. */
  readonly folder: string;
  readonly call: CallOptions;
}

/**
 * A ranking's scores, and what goes at each removal.
 *
 * @throws DepthkitError what measuring and searching throw
 */
export async function rank(ranking: SettledRanking, work: RankWork): Promise<Ranked> {
  switch (ranking.by) {
    case "influence":
      return await byInfluence(ranking, work);
    case "leave-one-out":
      return await byGame({ ...ranking, method: "leave-one-out", interactions: false }, work);
    case "values":
      return await byGame(ranking, work);
    case "search":
      return await bySearch(ranking, work);
    case "order":
      return byOrder(ranking, work);
  }
}

export type Of<K extends SettledRanking["by"]> = Extract<SettledRanking, { by: K }>;

async function byInfluence({ name, units, metric, of }: Of<"influence">, work: RankWork): Promise<Ranked> {
  const { opened, condition, call } = work;
  const players = playersOf(units, opened.model.info);
  const values = await influenceScores(players, condition.influence, { metric, of }, call);
  const errors = await errorsOf(players, { metric, of }, work);
  const scores = players.map((unit, at) => ({
    unit,
    value: item(values, at),
    standardError: errors[at] ?? null,
  }));
  return fromScores(name, players, scores, work);
}

/** Static influence is a mean over sequences; of other scores no error is known. */
async function errorsOf(
  players: readonly UnitName[],
  { metric, of }: Pick<Of<"influence">, "metric" | "of">,
  { condition, call }: RankWork,
): Promise<(number | null)[]> {
  if (metric === "xmerge" || isGradientMetric(metric)) return [];
  const { standardErrors } = (await condition.influence.static(call)).data;
  return players.map((unit) => {
    const { kind, block } = parseUnit(unit);
    return standardErrors[of === "block" ? "block" : kind][metric][block] ?? null;
  });
}

export interface GameRanking {
  readonly name: string;
  readonly units: Of<"values">["units"];
  readonly candidates?: number | undefined;
  readonly method: Of<"values">["method"];
  readonly target?: Of<"values">["target"];
  readonly evaluations?: number | undefined;
  readonly interactions: boolean;
  readonly precision?: Of<"values">["precision"];
}

async function byGame(ranking: GameRanking, work: RankWork): Promise<Ranked> {
  const { opened, condition, folder, call } = work;
  const players = await playing(ranking, work);
  const data: Corpus | Task = opened.deciding.get(ranking.name) ?? condition.measured;
  const { precision } = ranking;
  const journal = join(folder, "games");
  await using game = await opened.model.game(data, { players, precision, journal, ...call });
  const { signal, onProgress } = call;
  const estimate = await estimateShapley(game, { ...estimateOptionsOf(ranking, work), signal, onProgress });
  const scores = estimate.players().map(({ player, value, standardError, interval }) => ({
    unit: player as UnitName,
    value,
    standardError,
    interval: [...interval] as [number, number],
  }));
  const order = estimate.ranking() as UnitName[];
  const found = fromScores(ranking.name, players, scores, work, order);
  return {
    ...found,
    evaluations: estimate.info.evaluations,
    estimated: estimatedOf(estimate, found, ranking.interactions),
    notes: [...game.notes, ...found.notes],
  };
}

/** How a ranking's values are estimated. */
export const estimateOptionsOf = (
  { method, target, evaluations, interactions }: GameRanking,
  { seed }: RankWork,
): EstimateOptions => ({ method, target, evaluations, interactions: interactions ? true : undefined, seed });

/** Who plays: all units of the kinds, or those of least cosine among them, by depth. */
export async function playing(
  { units, candidates }: Pick<GameRanking, "units" | "candidates">,
  { opened, condition, call }: RankWork,
): Promise<UnitName[]> {
  const all = playersOf(units, opened.model.info);
  if (candidates === undefined) return all;
  const scores = await influenceScores(all, condition.influence, { metric: "cosine" }, call);
  const chosen = new Set(ranked(scores).slice(0, candidates));
  return all.filter((_, at) => chosen.has(at));
}

function estimatedOf(estimate: ShapleyEstimate, found: Ranked, interactions: boolean): Ranked["estimated"] {
  const { info } = estimate;
  const [value = ""] = info.values;
  const counts = [...new Set(found.sets.map(({ removed }) => removed.length))];
  return {
    method: info.method,
    target: info.target,
    evaluations: info.evaluations,
    trace: info.trace.map(({ evaluations, values }) => ({
      evaluations,
      standardErrors: [...(values[value]?.standardError ?? [])],
    })),
    lowest: counts
      .filter((count) => count > 0)
      .map((count) => {
        const { each, together } = estimate.lowestProbabilities(count);
        return {
          count,
          together,
          each: Object.fromEntries(each.map(({ player, probability }) => [player, probability])),
        };
      }),
    interactions: interactions
      ? estimate.interactions().map(({ players, value: found, standardError }) => ({
          units: [...players],
          value: found,
          standardError,
        }))
      : [],
  };
}

async function bySearch(ranking: Of<"search">, work: RankWork): Promise<Ranked> {
  const { opened, condition, removals } = work;
  const options = searchOptionsOf(ranking, work);
  const sets: Ranked["sets"] = [];
  const notes = new Set<string>();
  let looked = 0;
  for (const [removal, budget] of budgetsOf(removals)) {
    try {
      // What a study has measured already is not measured again, as `model.search` by itself would.
      const found = await searchModel(
        opened.model.subject,
        { ...options, budget },
        given,
        condition.influence,
      );
      await Promise.all(found.subnetwork?.repairs.map((one) => one.close()) ?? []);
      looked += found.evaluations;
      for (const note of found.notes) notes.add(note);
      sets.push({ removal, removed: [...found.removed], error: null });
    } catch (error) {
      if (!isItsOwn(error)) throw error;
      sets.push({ removal, removed: [], error: { code: error.code, message: error.message } });
    }
  }
  const units = playersOf(ranking.units, opened.model.info);
  return { units, scores: null, estimated: null, sets, evaluations: looked, notes: [...notes] };
}

/** What each of a ranking's searches is given. */
export function searchOptionsOf(
  ranking: Of<"search">,
  { opened, condition, costs, exportable, folder, seed, call }: RankWork,
): Omit<ModelSearchOptions, "budget"> {
  const { recipe, strategy, candidates, scores, protect, repair, evaluations, start, precision } = ranking;
  return {
    recipe,
    strategy,
    players: recipe === undefined ? ranking.units : undefined,
    candidates,
    scores,
    protect,
    repair,
    // The plan's repairs are asked about when it is opened.
    exportable: exportable && { format: exportable, repairs: [] },
    evaluations,
    start,
    precision,
    fit: condition.measured,
    choose: opened.deciding.get(ranking.name) ?? condition.deciding,
    costs,
    seed,
    journal: join(folder, "games"),
    ...call,
  };
}

/** The winner's own repairs, which a study fits to text of its own instead. */
const given: MakeSubnetwork<MadeRepairs | undefined> = (_, made) => made;

type RemovalBudget = number | { readonly cost: CostName; readonly share: number };

export function budgetsOf(removals: SettledPlan["removals"]): [number, RemovalBudget][] {
  if (Array.isArray(removals)) return removals.map((count) => [count, count]);
  return removals.shares.map((share) => [share, { cost: removals.of, share }]);
}

function byOrder({ name, order }: Of<"order">, work: RankWork): Ranked {
  const { depth } = work.opened.model;
  if (Array.isArray(order)) return { ...bare(checkUnits(order, depth)), ...setsOf(name, order, work) };
  const scores = Object.entries(order).map(([unit, value]) => ({
    unit: unit as UnitName,
    value,
    standardError: null,
  }));
  return fromScores(name, checkUnits(Object.keys(order), depth), scores, work);
}

interface Scored {
  readonly unit: UnitName;
  readonly value: number;
  readonly standardError: number | null;
  readonly interval?: [number, number];
}

const bare = (units: readonly UnitName[]): Omit<Ranked, "sets" | "notes"> => ({
  units: [...units],
  scores: null,
  estimated: null,
  evaluations: 0,
});

/** `name`: the ranking's. */
export function fromScores(
  name: string,
  units: readonly UnitName[],
  scores: readonly Scored[],
  work: RankWork,
  order: readonly UnitName[] = ranked(scores.map(({ value }) => value)).map((at) => item(scores, at).unit),
): Ranked {
  return {
    ...bare(units),
    scores: Object.fromEntries(scores.map(({ unit, ...rest }) => [unit, rest])),
    ...setsOf(name, order, work),
  };
}

/** From the front of an order, what a format leaves of it: so many, or as many as have the share. */
function setsOf(name: string, order: readonly UnitName[], work: RankWork): Pick<Ranked, "sets" | "notes"> {
  const { stay = [], pattern, notes = [] } = work.opened.bounds.get(name) ?? {};
  const left = order.filter((unit) => !stay.includes(unit));
  const sets = pattern === undefined ? leading(left, work) : keeping(left, pattern, work);
  return { sets, notes: [...notes] };
}

function leading(order: readonly UnitName[], { removals, costs, opened }: RankWork): Ranked["sets"] {
  const sorted = (count: number) => checkUnits(order.slice(0, count), opened.model.depth);
  if (Array.isArray(removals)) {
    return removals.map((removal) => ({ removal, removed: sorted(removal), error: null }));
  }
  const { of, shares } = removals;
  const whole = costs.model[of] ?? Number.NaN;
  return shares.map((removal) => {
    let gone = 0;
    let count = 0;
    while (count < order.length && gone < removal * whole)
      gone += costs.units[item(order, count++)]?.[of] ?? 0;
    if (gone >= removal * whole) return { removal, removed: sorted(count), error: null };
    const message = `All ${order.length} units together have ${gone} of ${whole} of the model's ${of}.`;
    return { removal, removed: [], error: { code: "BUDGET_TOO_SMALL" as const, message } };
  });
}

/** As far in front as the order of blocks allows. */
function keeping(
  order: readonly UnitName[],
  pattern: BlockPattern,
  { removals, costs, opened }: RankWork,
): Ranked["sets"] {
  const players = checkUnits(order, opened.model.depth);
  const places = order.map((unit) => players.indexOf(unit));
  const parts = Object.fromEntries(
    players.map((unit) => [
      unit,
      { kind: parseUnit(unit).kind, costs: { ...costs.units[unit] } as Record<string, number> },
    ]),
  );
  return budgetsOf(removals).map(([removal, budget]) => {
    const whole = typeof budget === "number" ? budget : { ...budget, total: costs.model[budget.cost] };
    try {
      const removed = spaceOf({ players }, { budget: whole, parts, pattern }).complete([], places);
      return { removal, removed: removed.map((at) => item(players, at)), error: null };
    } catch (error) {
      if (!isItsOwn(error)) throw error;
      return { removal, removed: [], error: { code: error.code, message: error.message } };
    }
  });
}
