import { item } from "../arrays.ts";
import { Coalition } from "../game/coalition.ts";
import type { Game } from "../game/game.ts";
import { scoreFinalists } from "./finalists.ts";
import { Ledger } from "./ledger.ts";
import { checkOptions, checkStart, checkTypes, placesOf, type SearchOptions } from "./options.ts";
import { resultOf, type SearchResult } from "./result.ts";
import { SearchRun } from "./run.ts";
import { scoresFrom } from "./scores.ts";
import { spaceOf } from "./space-of.ts";
import { namedStrategy, needsOf, strategyFor } from "./strategy-choice.ts";

/** Evaluations a candidate, for strategies that would never end. */
const evaluationsPerCandidate = 10;

/**
 * Chooses which players of a game to remove, by looking at sets of them. A game that keeps what it evaluated
 * (`CachedGame`, `model.game`) serves every search and estimate over it, so that a repeated search evaluates
 * nothing. docs/search.md says which strategy when.
 *
 * @throws DepthkitError INVALID_ARGUMENT, BUDGET_TOO_SMALL, NOT_MEASURABLE, CANCELLED, and what the game
 * throws
 */
export async function searchGame<Player extends string>(
  game: Game<Player>,
  options: SearchOptions<Player>,
): Promise<SearchResult<Player>> {
  checkTypes(options as SearchOptions);
  const strategy = namedStrategy(options.strategy);
  checkOptions(game, strategy, options as SearchOptions);
  const { seed = 0, signal, onProgress, fidelities = [], start = [] } = options;
  const space = spaceOf(game, options as SearchOptions);
  const starts = start.map(({ removed }) => placesOf(game, "start", removed));
  checkStart(game, starts, space.candidates);
  const valueName = options.value ?? item(game.values, 0);
  const endless = needsOf[strategy.name].endless === true;
  const limit = endless ? evaluationsPerCandidate * space.candidates.length : Number.POSITIVE_INFINITY;
  const began = performance.now();
  const run = new SearchRun({
    strategy: strategy.name,
    space,
    ledgers: [
      ...fidelities.map((one) => new Ledger(one.game, valueName, one.weight)),
      new Ledger(game, valueName, 1),
    ],
    start: starts,
    evaluations: options.evaluations ?? limit,
    seed,
    signal,
    onBatch: ({ evaluations, limit: most, cost }) =>
      onProgress?.({
        phase: "searching",
        done: evaluations,
        total: Number.isFinite(most) ? most : null,
        unit: "evaluations",
        cost,
        seconds: (performance.now() - began) / 1000,
      }),
  });
  const floor = -(game.caps?.[valueName] ?? Number.POSITIVE_INFINITY);
  const chosen = await strategyFor(strategy, scoresFrom(options.scores, game.players), floor);
  const removed = await chosen.search(run);
  const kept = Coalition.without(game.players.length, removed);
  await run.evaluate([kept]);
  if (run.steps.at(-1)?.kept.equals(kept) !== true) run.step([kept], kept);
  const finalists =
    options.exact && (await scoreFinalists(run, kept, new Ledger(options.exact, valueName, 1)));
  return resultOf(game.players, run, { strategy: strategy.name, seed, valueName, kept, finalists });
}
