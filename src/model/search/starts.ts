import type { Subject } from "../../evaluation/subject.ts";
import type { Game } from "../../game/game.ts";
import type { UnitName } from "../../protocol/common.ts";
import { unitsOf } from "../../protocol/units.ts";
import { searchGame } from "../../selection/index.ts";
import { namedStrategy, needsOf } from "../../selection/strategy-choice.ts";
import type { CountedBudget } from "./count-budget.ts";
import type { FitInfluence } from "./fit-influence.ts";
import type { ModelSearchOptions } from "./options.ts";
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

/**
 * The sets that a search starts from: those given, what the recipes named choose, or by default a span and
 * single blocks. Undefined where the strategy starts from nothing.
 */
export async function startsOf(
  on: Subject,
  options: ModelSearchOptions,
  { strategy, players, protect }: Pick<SettledSearch, "strategy" | "players" | "protect">,
  counted: CountedBudget,
  game: Game<UnitName>,
  known: FitInfluence | undefined,
): Promise<readonly StartSet[] | undefined> {
  const { start, fit, recipe, candidates, signal } = options;
  const { name } = namedStrategy(strategy);
  const blocks = players.join() === unitsOf("block", on.info).join();
  if (needsOf[name].start !== true) {
    if (start === undefined) return undefined;
    refuse(`"${name}" makes no use of \`start\`; leave it out or choose another strategy`);
  }
  const byDefault = blocks && fit !== undefined && recipe === undefined && !Array.isArray(candidates);
  const named = start ?? (byDefault ? defaults : []);
  if (!areRecipes(named)) return named;
  if (named.length > 0 && !blocks) {
    refuse("`start` names recipes, which choose among all blocks; give sets, or let all blocks play");
  }
  const sets: StartSet[] = [];
  for (const one of named) {
    // A number of candidates narrows the search; what it starts from may be others.
    const listed = Array.isArray(candidates) ? candidates : undefined;
    const alone = { ...options, recipe: one, strategy: undefined, scores: undefined, players: undefined };
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

/** As many candidates as a number says, and what the search starts from beside them. */
export function candidatesBeside(
  candidates: readonly UnitName[] | undefined,
  start: readonly StartSet[] | undefined,
  given: ModelSearchOptions["candidates"],
): readonly UnitName[] | undefined {
  if (typeof given !== "number" || candidates === undefined) return candidates;
  return [...new Set([...candidates, ...(start ?? []).flatMap(({ removed }) => removed)])];
}

export function startNotes(start: readonly StartSet[] | undefined): string[] {
  const names = (start ?? []).flatMap(({ recipe }) => recipe ?? []);
  if (names.length === 0) return [];
  return [
    `The search started from what ${names.join(" and ")} ${names.length === 1 ? "chooses" : "choose"}.`,
  ];
}
