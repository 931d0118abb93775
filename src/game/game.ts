import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import {
  aFunction,
  aNumber,
  anObject,
  aText,
  aWhole,
  type Checks,
  checkArgument,
  checkOptions,
  either,
  listOf,
  recordOf,
  required,
} from "../options.ts";
import { type Coalition, maxPlayers } from "./coalition.ts";

/** What an evaluation takes beside its coalitions. */
export interface EvaluateOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A cooperative game with one or more values. `evaluate` answers a batch of coalitions with a row-major
 * matrix, a row per coalition in the order asked, a column per value. **Higher is better**: a loss or a
 * divergence enters negated, so that a player's value is what it contributes and the lowest go first.
 */
export interface Game<Player extends string = string> {
  /**
   * A label per player; player i is the i-th in depth order, so that coalitions alike up to i share their
   * beginning.
   */
  readonly players: readonly Player[];
  /** The names of the values, the matrix's columns. */
  readonly values: readonly string[];
  /** Values of coalitions, row by row: as many numbers each as the game has values. */
  evaluate(coalitions: readonly Coalition[], options?: EvaluateOptions): Promise<Float64Array>;
  /** What a batch costs, in block evaluations; samplers may use it, and a cost budget needs it. */
  costOf?(coalitions: readonly Coalition[]): number;
  /**
   * For a value that is a negated loss: the loss above which more of it says nothing, ln(vocabulary size) for
   * a next-token loss. Estimators use it unless told otherwise.
   */
  readonly caps?: Readonly<Record<string, number>>;
}

/** The value or values of a coalition. */
export type ValueOf = (coalition: Coalition) => number | readonly number[];

/** Who plays a game that is a function, and what its values are called. */
export interface FunctionGameOptions<Player extends string = string> {
  /** Labels, or how many players. */
  readonly players: number | readonly Player[];
  /** Default `["value"]`. */
  readonly values?: readonly string[] | undefined;
  readonly caps?: Readonly<Record<string, number>> | undefined;
  /** What a batch costs, as `Game.costOf`. */
  readonly costOf?: ((coalitions: readonly Coalition[]) => number) | undefined;
}

const functionGameChecks: Checks<FunctionGameOptions> = {
  players: required(either(aWhole(1, maxPlayers), listOf(aText))),
  values: listOf(aText),
  caps: recordOf(aNumber),
  costOf: aFunction,
};

/**
 * A game from a plain function: a number, or one number for each value. Players without labels are
 * `player.0`, ...
 */
export function gameFromFunction<const Player extends string = string>(
  evaluate: ValueOf,
  options: FunctionGameOptions<Player>,
): Game<Player>;
export function gameFromFunction(evaluate: ValueOf, options: FunctionGameOptions): Game {
  checkArgument("gameFromFunction", "evaluate", evaluate, aFunction);
  checkOptions("gameFromFunction", options, functionGameChecks);
  const players =
    typeof options.players === "number"
      ? Array.from({ length: options.players }, (_, i) => `player.${i}`)
      : [...options.players];
  const values = options.values ?? ["value"];
  const game: Game = {
    players,
    values,
    ...(options.caps === undefined ? {} : { caps: options.caps }),
    ...(options.costOf === undefined ? {} : { costOf: options.costOf }),
    async evaluate(coalitions, { signal } = {}) {
      throwIfCancelled(signal, "Evaluating coalitions");
      const matrix = new Float64Array(coalitions.length * values.length);
      coalitions.forEach((coalition, row) => {
        const answer = evaluate(coalition);
        const numbers = typeof answer === "number" ? [answer] : answer;
        if (numbers.length !== values.length) {
          throw new DepthkitError(
            "INVALID_ARGUMENT",
            `Evaluating ${coalition}: the value function gave ${numbers.length} numbers, the game has ` +
              `${values.length} values (${values.join(", ")}).`,
          );
        }
        matrix.set(numbers, row * values.length);
      });
      return matrix;
    },
  };
  checkGame(game);
  return game;
}

/** Throws unless the game's description is usable: 1 to 512 players, at least one value, no name twice. */
export function checkGame(game: Game): void {
  checkArgument("Reading a game", "game", game, anObject);
  const { players, values } = game;
  checkArgument("Reading a game", "players", players, listOf(aText));
  checkArgument("Reading a game", "values", values, listOf(aText));
  checkArgument("Reading a game", "evaluate", game.evaluate, aFunction);
  if (players.length < 1 || players.length > maxPlayers) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Reading a game: it has ${players.length} players, 1 to ${maxPlayers} are allowed. Put units into ` +
        `groups to have fewer.`,
    );
  }
  if (values.length < 1) {
    throw new DepthkitError("INVALID_ARGUMENT", "Reading a game: it names no value, at least one is needed.");
  }
  for (const [what, names] of [
    ["player", players],
    ["value", values],
  ] as const) {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Reading a game: the ${what} "${twice}" appears twice; each name once.`,
      );
    }
  }
}

/** Throws unless a batch's answer has the right length and only finite numbers. */
export function checkMatrix(game: Game, coalitions: readonly Coalition[], matrix: Float64Array): void {
  const expected = coalitions.length * game.values.length;
  if (matrix.length !== expected) {
    throw new DepthkitError(
      "INTERNAL",
      `Evaluating ${coalitions.length} coalitions: the game answered with ${matrix.length} numbers in ` +
        `place of ${expected} (${game.values.length} values per coalition).`,
    );
  }
  const bad = matrix.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const coalition = item(coalitions, Math.floor(bad / game.values.length));
    const name = item(game.values, bad % game.values.length);
    throw new DepthkitError(
      "NOT_MEASURABLE",
      `Evaluating ${coalition}: the value "${name}" is ${matrix[bad]}; only finite numbers can be ` +
        `averaged. Check the model's weights and dtype, or cap the value inside the game.`,
      { details: { coalition: coalition.key, value: name } },
    );
  }
}

export function throwIfCancelled(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted !== true) return;
  throw new DepthkitError("CANCELLED", `${doing} was cancelled by the caller's signal.`, {
    cause: signal.reason,
  });
}
