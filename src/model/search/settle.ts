import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import { trainedMethods } from "../../protocol/repair.ts";
import { checkPresent, checkUnits, parseUnit, type Shape, unitsOf } from "../../protocol/units.ts";
import { ranking } from "../../ranks.ts";
import { type CallOptions, callOf } from "../../rpc/call-options.ts";
import type { Budget } from "../../selection/budget.ts";
import type { BlockPattern } from "../../selection/pattern.ts";
import type { MeasureScores, Scores } from "../../selection/scores.ts";
import {
  type NamedStrategy,
  namedStrategy,
  needsOf,
  type StrategyChoice,
} from "../../selection/strategy-choice.ts";
import type { RepairOptions } from "../repair.ts";
import { type Bounds, checkNumber, formatBounds } from "./bounds.ts";
import { costBudgets } from "./count-budget.ts";
import type { ExportableInto } from "./exportable.ts";
import { FitInfluence } from "./fit-influence.ts";
import { type InfluenceScores, influenceScores, isGradientMetric } from "./influence-scores.ts";
import { isByInfluence, learnedGatesOf, type ModelSearchOptions } from "./options.ts";
import { budgetOf, type Recipe, recipes } from "./recipes.ts";
import { needsFit, refuse } from "./refuse.ts";

/** A search as it is carried out: what a recipe says and what was left out is filled in. */
export interface SettledSearch {
  readonly strategy: StrategyChoice;
  readonly players: readonly UnitName[];
  readonly budget: Budget;
  readonly candidates: readonly UnitName[] | undefined;
  readonly protect: readonly UnitName[];
  readonly scores: Scores | MeasureScores | undefined;
  readonly value: ModelSearchOptions["value"];
  readonly pattern: BlockPattern | undefined;
  /** What units stay for a format's sake. */
  readonly notes: readonly string[];
}

/** Measures influence where something rests on it, and then alone. */
export async function settle(
  on: Subject,
  given: ModelSearchOptions,
  known: FitInfluence | undefined,
): Promise<SettledSearch> {
  const { depth } = on.info;
  const { candidates } = given;
  const recipe: Partial<Recipe> = given.recipe === undefined ? {} : recipes[given.recipe];
  const asked = recipe.strategy ?? overGame(given.strategy);
  if (given.start !== undefined) checkStart(asked);
  const players = playersOf(recipe.kinds ?? given.players ?? "block", on.info);
  const scores = recipe.scores === undefined ? given.scores : { metric: recipe.scores };
  let measured = known;
  const influence = (what: string) => {
    measured ??= new FitInfluence(on, given.fit ?? refuse(`${what} ${needsFit}`));
    return measured;
  };
  const fitted: Fitted = { players, depth, call: callOf(given), influence };
  const budget = given.recipe === undefined ? given.budget : budgetOf(given.recipe, given.budget);
  const protect = protectedOf(given.protect ?? [], recipe.protectedEnds ?? [0, 0], players, depth);
  const bounds = await boundsOf(on, given, players);
  const stays = { protect: [...protect, ...bounds.stay], pattern: bounds.pattern };
  // Costs are counted later.
  if (costBudgets(budget) === undefined) {
    const named = typeof candidates === "number" ? undefined : candidates;
    checkNumber(players, { budget, candidates: named, ...stays }, bounds);
  }
  const strategy = await strategyOf(asked, fitted);
  return {
    strategy,
    players,
    budget,
    candidates: typeof candidates === "number" ? await leastCosine(candidates, fitted) : candidates,
    ...stays,
    notes: bounds.notes,
    scores: isByInfluence(scores) ? await scoresOf(scores, namedStrategy(strategy), fitted) : scores,
    value: given.value ?? recipe.value,
  };
}

async function boundsOf(
  on: Subject,
  given: ModelSearchOptions,
  players: readonly UnitName[],
): Promise<Bounds> {
  const { pattern } = on.info;
  if (given.pattern === "keep" && pattern === null) {
    refuse("`pattern` has nothing to keep, since all blocks of this model are of one kind; leave it out");
  }
  const into = exportableOf(given);
  if (into === undefined) return { stay: [], pattern: given.pattern && (pattern ?? undefined), notes: [] };
  const bounds = await formatBounds(on, "Searching", players, into, callOf(given));
  return given.pattern === "keep" ? { ...bounds, pattern: pattern ?? undefined } : bounds;
}

/** A format with what will be in place of what goes, as far as a search knows. */
function exportableOf(
  given: ModelSearchOptions,
): (ExportableInto & { repairs: readonly RepairOptions[] }) | undefined {
  const { exportable, repair, strategy } = given;
  if (exportable === undefined) return undefined;
  const into = typeof exportable === "string" ? { format: exportable } : exportable;
  const lora = learnedGatesOf(strategy)?.lora ?? undefined;
  const { runs: _, ...own } = repair ?? {};
  const made = repair === undefined ? [] : [own as RepairOptions];
  const learned: RepairOptions[] = lora ? [{ method: "lora", rank: lora.rank, targets: lora.targets }] : [];
  return { format: into.format, repairs: into.repairs ?? [...made, ...learned] };
}

/** `learned-gates` takes the lowest of what it learned. */
function overGame(strategy: ModelSearchOptions["strategy"]): StrategyChoice {
  if (strategy === undefined) return "greedy";
  if (strategy === "learned-gates") return "lowest";
  return typeof strategy === "object" && strategy.name === "learned-gates" ? "lowest" : strategy;
}

/** Refused before anything is measured. */
function checkStart(asked: AskedStrategy): void {
  const { name } = namedStrategy(asked === "angular-span" || asked === "cosine-span" ? "span" : asked);
  if (needsOf[name].start === true) return;
  refuse(`"${name}" makes no use of \`start\`; leave it out or choose another strategy`);
}

type AskedStrategy = StrategyChoice | "angular-span" | "cosine-span";

/** What a search is settled with that rests on `fit`. */
interface Fitted {
  readonly players: readonly UnitName[];
  readonly depth: number;
  readonly call: CallOptions;
  /** On `fit`, and a refusal of `what` where there is none. */
  readonly influence: (what: string) => FitInfluence;
}

/** The strategy with what it takes from the text. */
async function strategyOf(
  strategy: AskedStrategy,
  { players, depth, call, influence }: Fitted,
): Promise<StrategyChoice> {
  if (strategy === "angular-span") {
    const { angular } = (await influence("a span by angle").static(call)).data;
    return { name: "span", distances: angular };
  }
  const cosines = async (what: string) => (await influence(what).static(call, true)).data.cosines ?? [];
  if (strategy === "cosine-span") {
    return { name: "span", distances: acrossSpans(await cosines("a span by cosine")) };
  }
  const named = namedStrategy(strategy);
  if (named.name !== "clusters" || named.similarities !== undefined) return strategy;
  if (players.join() !== unitsOf("block", { depth }).join()) {
    refuse(`"clusters" is over blocks; give \`similarities\` of other players`);
  }
  const similarities = (await cosines('"clusters"')).slice(0, depth).map((row) => row.slice(0, depth));
  return { ...named, similarities };
}

/** `[n - 1][l]`: 1 - the mean cosine between the ends of the n blocks from block l. */
function acrossSpans(cosines: readonly (readonly number[])[]): number[][] {
  const depth = cosines.length - 1;
  return Array.from({ length: depth }, (_, less) =>
    Array.from({ length: depth - less }, (_, start) => 1 - item(item(cosines, start), start + less + 1)),
  );
}

async function leastCosine(count: number, { players, call, influence }: Fitted): Promise<UnitName[]> {
  const scores = await influenceScores(players, influence("`candidates`"), { metric: "cosine" }, call);
  return ranking(scores)
    .slice(0, count)
    .map((place) => item(players, place));
}

/** `iterative` measures again on what is left. */
async function scoresOf(
  scores: InfluenceScores,
  { name }: NamedStrategy,
  { players, call, influence }: Fitted,
): Promise<Scores | MeasureScores> {
  if (needsOf[name].scores !== true) {
    refuse(`"${name}" makes no use of \`scores\`; leave it out or choose another strategy`);
  }
  checkScoresRepair(scores, name);
  const on = influence(`a score by ${scores.metric}`);
  if (name !== "iterative") return await influenceScores(players, on, scores, call);
  return (removed, { signal }) =>
    influenceScores(players, on, scores, { ...call, signal, removed: removed as readonly UnitName[] });
}

/** A repair of the scores does nothing where they are measured once, and nothing is trained each round. */
function checkScoresRepair({ repair, metric }: InfluenceScores, name: string): void {
  if (repair === undefined) return;
  if (name !== "iterative") refuse(`\`scores.repair\` is for "iterative"; "${name}" measures once`);
  if (isGradientMetric(metric)) {
    refuse(`\`scores.repair\` is for scores by how far units move the stream; "${metric}" takes gradients`);
  }
  const { method } = repair;
  if (trainedMethods.includes(method) || ("training" in repair && (repair.training ?? null) !== null)) {
    refuse(`\`scores.repair\` is fitted each round, and "${method}" would be trained each time`);
  }
}

/** Who plays, by name. */
export function playersOf(players: NonNullable<ModelSearchOptions["players"]>, model: Shape): UnitName[] {
  const listed = [players].flat() as string[];
  const units = listed.flatMap((one): string[] =>
    one.includes(".") ? [one] : unitsOf(one as UnitKind, model),
  );
  const checked = checkUnits(units, model.depth);
  checkPresent(checked, model.absent ?? []);
  const blocks = new Set(
    checked.filter((unit) => unit.startsWith("block.")).map((unit) => parseUnit(unit).block),
  );
  const twice = checked.find((unit) => !unit.startsWith("block.") && blocks.has(parseUnit(unit).block));
  if (twice !== undefined) {
    refuse(
      `players hold ${twice} and its whole block, which cannot both go; name attention and feed-forward, ` +
        "which together are the block",
    );
  }
  return checked;
}

/** Ends that a recipe protects hold beside those that are asked for. */
function protectedOf(
  protect: NonNullable<ModelSearchOptions["protect"]>,
  [bottom, top]: readonly [number, number],
  players: readonly UnitName[],
  depth: number,
): UnitName[] {
  const least = protect === "ends" ? 1 : 0;
  const ends = players.filter((unit) => {
    const { block } = parseUnit(unit);
    return block < Math.max(least, bottom) || block >= depth - Math.max(least, top);
  });
  return protect === "ends" ? ends : [...checkUnits(protect, depth), ...ends];
}
