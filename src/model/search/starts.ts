import type { Subject } from "../../evaluation/subject.ts";
import type { Game } from "../../game/game.ts";
import type { UnitName } from "../../protocol/common.ts";
import { unitsOf } from "../../protocol/units.ts";
import { searchGame } from "../../selection/index.ts";
import {
  namedStrategy,
  needsOf,
  type StrategyChoice,
  type StrategyName,
} from "../../selection/strategy-choice.ts";
import type { CountedBudget } from "./count-budget.ts";
import type { FitInfluence } from "./fit-influence.ts";
import { learnedGatesOf, type ModelSearchOptions } from "./options.ts";
import type { StartRecipe } from "./recipes.ts";
import { refuse } from "./refuse.ts";
import { type SettledSearch, settle } from "./settle.ts";

/** A set to start from. */
export interface StartSet {
  readonly removed: readonly UnitName[];
  /** Whose choice it is, where a recipe's. */
  readonly recipe?: StartRecipe;
}

/** Where nothing else is said: a span and single blocks, each the best by cosine. */
const defaults: readonly StartRecipe[] = ["llm-streamline", "shortgpt"];

/** What is known before a search looks at sets. */
export interface Starts {
  /** Where it starts; undefined where its strategy starts from nothing. */
  readonly from: readonly StartSet[] | undefined;
  /** Who may go: as many as a number says, and whose going is part of a known set. */
  readonly candidates: readonly UnitName[] | undefined;
}

/**
 * The sets that a search starts from, given ones or what recipes choose, and the candidates beside them. By
 * default a span and single blocks: a block in the middle of a span can be dear by itself, so that a number
 * of candidates alone would leave it out, of `greedy` as well.
 */
export async function startsOf(
  on: Subject,
  options: ModelSearchOptions,
  settled: Pick<SettledSearch, "strategy" | "players" | "candidates" | "protect">,
  counted: CountedBudget,
  game: Game<UnitName>,
  known: FitInfluence | undefined,
): Promise<Starts> {
  const { name } = namedStrategy(settled.strategy);
  const takes = needsOf[name].start === true;
  const narrow = typeof options.candidates === "number" && looksAtSets(name);
  const sets = takes || narrow ? await setsOf(on, options, settled, counted, game, known) : [];
  const { candidates } = settled;
  const beside = narrow ? sets.flatMap(({ removed }) => removed) : [];
  return {
    from: takes ? sets : undefined,
    candidates: candidates && [...new Set([...candidates, ...beside])],
  };
}

/** Strategies to whose candidates those of known sets are added. */
const looksAtSets = (name: StrategyName) => needsOf[name].start === true || name === "greedy";

/** What a search starts from: as asked, or by default where all `blocks` play and none is named. */
function askedStart({ start, fit, recipe, candidates }: ModelSearchOptions, blocks: boolean) {
  const byDefault = blocks && fit !== undefined && recipe === undefined && !Array.isArray(candidates);
  return start ?? (byDefault ? defaults : []);
}

/** Whether a search will ask how alike the ends of spans are, as far as its options tell. */
export function startsFromSpans(options: ModelSearchOptions): boolean {
  const { recipe, strategy, candidates, players = "block" } = options;
  if (recipe !== undefined || learnedGatesOf(strategy) !== undefined) return false;
  const { name } = namedStrategy((strategy ?? "greedy") as StrategyChoice);
  const asks = needsOf[name].start === true || (looksAtSets(name) && typeof candidates === "number");
  const start = askedStart(options, players === "block");
  return asks && start.some((one) => one === "llm-streamline" || one === "lorp");
}

async function setsOf(
  on: Subject,
  options: ModelSearchOptions,
  { players, protect }: Pick<SettledSearch, "players" | "protect">,
  counted: CountedBudget,
  game: Game<UnitName>,
  known: FitInfluence | undefined,
): Promise<readonly StartSet[]> {
  const { candidates, signal } = options;
  const blocks = players.join() === unitsOf("block", on.info).join();
  const named = askedStart(options, blocks);
  if (!areRecipes(named)) return named;
  if (named.length > 0 && !blocks) {
    refuse("`start` names recipes, which choose among all blocks; give sets, or let all blocks play");
  }
  const sets: StartSet[] = [];
  for (const one of named) {
    // A number of candidates narrows the search; what it starts from may be others.
    const listed = Array.isArray(candidates) ? candidates : undefined;
    const asked = { strategy: undefined, scores: undefined, players: undefined, start: undefined };
    const alone = { ...options, ...asked, recipe: one };
    // What breaks an order of blocks is a start too: the strategy makes a set of it that does not.
    const anywhere = { ...alone, protect, exportable: undefined, pattern: undefined, candidates: listed };
    const found = await settle(on, anywhere, known);
    const own = {
      strategy: found.strategy,
      protect: found.protect,
      scores: found.scores,
      candidates: listed,
    };
    const { removed } = await searchGame(game, { ...own, ...counted, signal });
    sets.push({ removed, recipe: one });
  }
  return sets;
}

function areRecipes(start: NonNullable<ModelSearchOptions["start"]>): start is readonly StartRecipe[] {
  return start.every((one) => typeof one === "string");
}

export function startNotes(start: Starts["from"]): string[] {
  const names = (start ?? []).flatMap(({ recipe }) => recipe ?? []);
  if (names.length === 0) return [];
  return [
    `The search started from what ${names.join(" and ")} ${names.length === 1 ? "chooses" : "choose"}.`,
  ];
}
