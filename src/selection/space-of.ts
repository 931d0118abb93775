import type { Game } from "../game/game.ts";
import { constraintsOf, partsOf } from "./budget.ts";
import { placesOf, type SearchOptions } from "./options.ts";
import { PatternRule } from "./pattern-rule.ts";
import { SearchSpace } from "./space.ts";

/**
 * What a search may choose among: the options' candidates without those that stay.
 *
 * @throws DepthkitError INVALID_ARGUMENT for players that there are not, and budgets that cannot be met
 */
export function spaceOf(
  game: Pick<Game, "players">,
  {
    budget,
    parts,
    candidates,
    protect = [],
    pattern,
  }: Pick<SearchOptions, "budget" | "parts" | "candidates" | "protect" | "pattern">,
): SearchSpace {
  const all = game.players.map((_, place) => place);
  const stay = placesOf(game, "protect", protect);
  const named = candidates === undefined ? all : placesOf(game, "candidates", candidates);
  const mayGo = all.filter((place) => named.includes(place) && !stay.includes(place));
  const rule = pattern === undefined ? undefined : new PatternRule(pattern, game.players, mayGo);
  const constraints = constraintsOf(budget, partsOf(game.players, parts));
  return new SearchSpace(game.players.length, mayGo, constraints, rule);
}
