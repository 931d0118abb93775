import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import { checkUnits, parseUnit, unitsOf } from "../../protocol/units.ts";
import type { Budget } from "../../selection/budget.ts";
import type { MeasureScores, Scores } from "../../selection/scores.ts";
import type { StrategyChoice } from "../../selection/strategy-choice.ts";
import type { Influence } from "../influence.ts";
import { measureInfluence } from "../measure-influence.ts";
import { isStatic, type ModelSearchOptions, refuse } from "./options.ts";
import { budgetOf, type Recipe, recipes } from "./recipes.ts";
import { staticScores } from "./static-scores.ts";

/** A search as it is carried out: what a recipe says and what was left out is filled in. */
export interface SettledSearch {
  readonly strategy: StrategyChoice;
  readonly players: readonly UnitName[];
  readonly budget: Budget;
  readonly candidates: readonly UnitName[] | undefined;
  readonly protect: readonly UnitName[];
  readonly scores: Scores | MeasureScores | undefined;
  readonly value: ModelSearchOptions["value"];
}

/** Measures influence where something rests on it. */
export async function settle(on: Subject, given: ModelSearchOptions): Promise<SettledSearch> {
  const { depth } = on.info;
  const recipe: Partial<Recipe> = given.recipe === undefined ? {} : recipes[given.recipe];
  const players = playersOf(recipe.kinds ?? given.players ?? "block", depth);
  const scores = recipe.scores === undefined ? given.scores : { metric: recipe.scores };
  const bySpan = recipe.strategy === "angular-span";
  const needed = bySpan || isStatic(scores) || typeof given.candidates === "number";
  const influence = needed ? await influenceOn(on, given) : undefined;
  const strategy: StrategyChoice =
    recipe.strategy === "angular-span"
      ? { name: "span", distances: measured(influence).data.angular }
      : (recipe.strategy ?? given.strategy ?? "greedy");
  return {
    strategy,
    players,
    budget: given.recipe === undefined ? given.budget : budgetOf(given.recipe, given.budget),
    candidates: candidatesOf(given.candidates, players, influence),
    protect: protectedOf(given.protect ?? [], recipe.protectedEnds ?? [0, 0], players, depth),
    scores: isStatic(scores) ? staticScores(alone(players), measured(influence).data, scores) : scores,
    value: given.value ?? recipe.value,
  };
}

async function influenceOn(
  on: Subject,
  { fit, recipe, signal, onProgress }: ModelSearchOptions,
): Promise<Influence> {
  if (fit === undefined) {
    refuse(`the recipe "${recipe}" measures influence; give \`fit\`, as \`splitText\` makes it`);
  }
  return await measureInfluence(on, fit, { signal, onProgress });
}

function measured(influence: Influence | undefined): Influence {
  return influence ?? refuse("influence was not measured");
}

/** Who plays, by name. */
export function playersOf(players: NonNullable<ModelSearchOptions["players"]>, depth: number): UnitName[] {
  const listed = [players].flat() as string[];
  const units = listed.flatMap((one): string[] =>
    one.includes(".") ? [one] : unitsOf(one as UnitKind, depth),
  );
  const checked = checkUnits(units, depth);
  const blocks = new Set(
    checked.filter((unit) => unit.startsWith("block.")).map((unit) => parseUnit(unit).block),
  );
  const twice = checked.find((unit) => !unit.startsWith("block.") && blocks.has(parseUnit(unit).block));
  if (twice !== undefined) {
    refuse(
      `players hold ${twice} and its whole block, which cannot both go; name attention and feed-forward, which ` +
        "together are the block",
    );
  }
  return checked;
}

const alone = (players: readonly UnitName[]) => players.map((unit) => [unit]);

function candidatesOf(
  candidates: ModelSearchOptions["candidates"],
  players: readonly UnitName[],
  influence: Influence | undefined,
): readonly UnitName[] | undefined {
  if (typeof candidates !== "number") return candidates;
  const scores = staticScores(alone(players), measured(influence).data, { metric: "cosine" });
  const order = [...players.keys()].sort((a, b) => item(scores, a) - item(scores, b) || a - b);
  return order.slice(0, candidates).map((place) => item(players, place));
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
