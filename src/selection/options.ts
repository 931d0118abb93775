import { DepthkitError } from "../errors.ts";
import { checkGame, type Game } from "../game/game.ts";
import {
  aNumber,
  anObject,
  aString,
  aText,
  aWhole,
  type Check,
  type Checks,
  callChecks,
  checkOptions as checkFields,
  either,
  listOf,
  objectOf,
  recordOf,
  required,
} from "../options.ts";
import type { Progress } from "../progress.ts";
import type { Budget, CostBudget, Part } from "./budget.ts";
import type { BlockPattern } from "./pattern.ts";
import type { MeasureScores, Scores } from "./scores.ts";
import { type NamedStrategy, needsOf, type StrategyChoice } from "./strategy-choice.ts";

/** A cheaper game over the same players, such as one on less text. */
export interface Fidelity {
  readonly game: Game;
  /** What an evaluation of it counts in evaluations of the game that is searched: between 0 and 1. */
  readonly weight: number;
}

/** Counts evaluations against their limit. */
export interface SearchProgress extends Progress {
  /** Block evaluations so far, as the games price them. */
  readonly cost: number;
}

/** What `search` takes over a game of one's own. */
export interface SearchOptions<Player extends string = string> {
  readonly strategy: StrategyChoice;
  readonly budget: Budget;
  /** Which of the game's values decides; default the first. Higher is better. */
  readonly value?: string | undefined;
  /** Who may go. Default: all players. */
  readonly candidates?: readonly Player[] | undefined;
  /** Who stays, whatever the candidates. */
  readonly protect?: readonly Player[] | undefined;
  /**
   * Sets that keep it alone are chosen (`keepsPattern`), such as `model.info.pattern`. Players are then
   * blocks, `block.0` and so on, and the budget says how many go. Not for `knapsack`.
   */
  readonly pattern?: BlockPattern | undefined;
  /**
   * For `lowest`, `iterative` and `knapsack`: a number per player, lowest first to go; `iterative` takes a
   * function, which is asked again after each removal. Default: what the game loses without each.
   */
  readonly scores?: Scores | MeasureScores | undefined;
  /** What each player is, by label. Default: of the kind before the first dot of its label, without costs. */
  readonly parts?: Readonly<Record<Player, Part>> | undefined;
  /**
   * At most this many evaluations, known ones counted too, so that a repeated search ends where the first
   * did. Default 10 a candidate where a strategy would never end, else no limit.
   */
  readonly evaluations?: number | undefined;
  /**
   * For `greedy`, `beam`, `evolutionary` and `surrogate`: cheaper games that new sets meet first, the
   * cheapest first.
   */
  readonly fidelities?: readonly Fidelity[] | undefined;
  /**
   * Where `game` is only near it: the game whose values count, with the same players and value. The best sets
   * are scored by it at the end, eight at most, and the best of them is the choice.
   */
  readonly exact?: Game | undefined;
  /** Sets to start from, such as another search's archive; their values are measured anew. */
  readonly start?: readonly { readonly removed: readonly Player[] }[] | undefined;
  /** From 0 to 2^53 - 1; default 0. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears of the search as it goes on. */
  readonly onProgress?: ((progress: SearchProgress) => void) | undefined;
}

const aCost = objectOf({
  cost: required(aText),
  share: aNumber,
  amount: aNumber,
  total: aNumber,
  kind: aText,
} satisfies Checks<CostBudget>);

/** NaN as well: of a player that is no candidate nothing is asked. */
const scoreList: Check = {
  allowed: "a list of numbers",
  holds: (value) => Array.isArray(value) && value.every((score) => typeof score === "number"),
};

const aSet: Check = {
  allowed: "an object with a list `removed`",
  holds: (value) => anObject.holds(value) && Array.isArray((value as { removed?: unknown }).removed),
};

const searchChecks: Checks<SearchOptions> = {
  strategy: required(either(aText, anObject)),
  budget: required(either(aWhole(0), recordOf(aWhole(0)), aCost, listOf(aCost, 1))),
  value: aText,
  candidates: listOf(aString),
  protect: listOf(aString),
  pattern: anObject,
  scores: either(scoreList, anObject, {
    allowed: "a function",
    holds: (value) => typeof value === "function",
  }),
  parts: recordOf(objectOf({ kind: required(aText), costs: recordOf(aNumber) } satisfies Checks<Part>)),
  evaluations: aWhole(1),
  fidelities: listOf(
    objectOf({ game: required(anObject), weight: required(aNumber) } satisfies Checks<Fidelity>),
  ),
  exact: anObject,
  start: listOf(aSet),
  seed: aWhole(0),
  ...callChecks,
};

/** Throws on options that no search has, and on values of another type. */
export function checkTypes(options: SearchOptions): void {
  checkFields("searchGame", options, searchChecks);
}

/** Throws on what the strategy would not make use of, and on what no search understands. */
export function checkOptions(game: Game, strategy: NamedStrategy, options: SearchOptions): void {
  checkGame(game);
  const needs = needsOf[strategy.name];
  for (const name of ["scores", "start", "fidelities"] as const) {
    if (options[name] === undefined || needs[name] === true) continue;
    refuse(`"${strategy.name}" makes no use of \`${name}\`; leave it out or choose another strategy`);
  }
  if (strategy.name === "knapsack" && options.pattern !== undefined) {
    refuse(
      '"knapsack" adds scores up over any set, and cannot keep the order of blocks; choose "lowest" or ' +
        "another strategy",
    );
  }
  if (strategy.name === "iterative" && options.scores !== undefined && typeof options.scores !== "function") {
    refuse(
      '"iterative" measures again after each removal, and got fixed scores; give a function of the removed ' +
        'players, or choose "lowest"',
    );
  }
  const { value } = options;
  if (value !== undefined && !game.values.includes(value)) {
    refuse(`got the value "${value}"; the game's values are ${game.values.join(", ")}`);
  }
  const valueName = value ?? game.values[0] ?? "";
  if (options.exact !== undefined) checkAlike(game, options.exact, "the game `exact`", valueName);
  for (const { game: cheaper, weight } of options.fidelities ?? []) {
    checkAlike(game, cheaper, "a game of `fidelities`", valueName);
    if (!(weight > 0 && weight < 1)) {
      refuse(`a game of \`fidelities\` has the weight ${weight}; it is a number between 0 and 1`);
    }
  }
}

function checkAlike(game: Game, other: Game, what: string, value: string): void {
  checkGame(other);
  if (other.players.join("\n") !== game.players.join("\n")) {
    refuse(`${what} has other players than the game that is searched`);
  }
  if (!other.values.includes(value)) refuse(`${what} has no value "${value}"`);
}

/** The places of these players in the game. */
export function placesOf(game: Pick<Game, "players">, what: string, labels: readonly string[]): number[] {
  return labels.map((label) => {
    const place = game.players.indexOf(label);
    if (place >= 0) return place;
    return refuse(`\`${what}\` names "${label}"; the game's players are ${game.players.join(", ")}`);
  });
}

/** Throws unless each set to start from removes only players that may go. */
export function checkStart(
  game: Game,
  start: readonly (readonly number[])[],
  candidates: readonly number[],
): void {
  const stranger = start.flat().find((player) => !candidates.includes(player));
  if (stranger === undefined) return;
  refuse(
    `a set of \`start\` removes "${game.players[stranger]}", which is no candidate of this search; leave ` +
      "the set out or let the player go",
  );
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Searching: ${why}.`);
}
