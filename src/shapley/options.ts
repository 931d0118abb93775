import { DepthkitError } from "../errors.ts";
import type { Game } from "../game/game.ts";
import {
  aFlag,
  aFunction,
  aNumber,
  aNumberAbove,
  anyOf,
  aSignal,
  aText,
  aWhole,
  type Checks,
  checkOptions,
  either,
  objectOf,
  recordOf,
  required,
} from "../options.ts";
import type { Progress } from "../progress.ts";
import { type Estimator, type Method, methods } from "./estimator.ts";
import { exact } from "./estimators/exact.ts";
import { kernel } from "./estimators/kernel.ts";
import { leaveOneOut } from "./estimators/leave-one-out.ts";
import { type PermutationOptions, permutation } from "./estimators/permutation.ts";
import { type PresentAbsentOptions, presentAbsent } from "./estimators/present-absent.ts";
import { type RegressionOptions, regression } from "./estimators/regression.ts";
import { stratified } from "./estimators/stratified.ts";
import type { Target } from "./target.ts";

/** A method by its name, or with options of its own. */
export type MethodChoice = Method | PermutationOptions | PresentAbsentOptions | RegressionOptions;

/** Counts evaluations against the budget. */
export interface EstimateProgress extends Progress {
  /** Block evaluations so far, as the game prices them. */
  readonly cost: number;
}

/** When to stop before the budget is spent: as soon as it is settled which players are the lowest. */
export interface StopRule {
  readonly lowest: number;
  /** Over all looks at the estimate together; default 0.95. */
  readonly confidence?: number | undefined;
  /** Which of the game's values decides; default the first. */
  readonly value?: string | undefined;
}

/** What `estimateShapley` takes beside a game. */
export interface EstimateOptions {
  /** Default "regression". */
  readonly method?: MethodChoice | undefined;
  /** Default: `{ horizon: ceil(0.4 players) }`; for methods that take one target only, that one. */
  readonly target?: Target | undefined;
  /**
   * The loss from which on a value named so counts no more, by value name (the game's value being its
   * negative); `true` (the default) takes the game's own caps, `false` none.
   */
  readonly cap?: boolean | Readonly<Record<string, number>> | undefined;
  /** At most this many coalitions are evaluated, v(all) and v(none) included; default 20 per player. */
  readonly evaluations?: number | undefined;
  /** No batch is started after this time. */
  readonly seconds?: number | undefined;
  /**
   * At most this many block evaluations; the game must tell what they cost. Coalitions then go to the game in
   * rounds of up to 256 whatever `batchSize` says, since a smaller batch shares less and so costs more.
   */
  readonly cost?: number | undefined;
  /** Stop as soon as the `lowest` k are, as a set, the k lowest at this confidence. */
  readonly stop?: StopRule | undefined;
  /** From 0 to 2^53 - 1; default 0. */
  readonly seed?: number | undefined;
  /** Also estimate pairwise interactions (methods "exact" and "regression"). */
  readonly interactions?: boolean | undefined;
  /** Also estimate Banzhaf values (methods "exact" and "regression", target "shapley"). */
  readonly banzhaf?: boolean | undefined;
  /**
   * Look at the estimate on the way, each time the evaluations have doubled, and keep what was seen. Default
   * true.
   */
  readonly trace?: boolean | undefined;
  /** Coalitions in one call of the game at most, but for `cost`; has no effect on the result. Default 256. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears of the estimate as it goes on. */
  readonly onProgress?: ((progress: EstimateProgress) => void) | undefined;
}

const optionChecks: Checks<EstimateOptions> = {
  method: either(
    anyOf(...methods),
    objectOf({ name: required(anyOf("permutation")), walks: aText }),
    objectOf({ name: required(anyOf("present-absent")), share: aNumber, efficient: aFlag }),
    objectOf({ name: required(anyOf("regression")), allocation: anyOf("adaptive", "fixed") }),
  ),
  target: either(anyOf("shapley"), objectOf({ horizon: required(aNumber) })),
  cap: either(aFlag, recordOf(aNumber)),
  evaluations: aWhole(1),
  seconds: aNumberAbove(0),
  cost: aNumberAbove(0),
  stop: objectOf({ lowest: required(aNumber), confidence: aNumber, value: aText } satisfies Checks<StopRule>),
  seed: aNumber,
  interactions: aFlag,
  banzhaf: aFlag,
  trace: aFlag,
  batchSize: aWhole(1),
  signal: aSignal,
  onProgress: aFunction,
};

type Plain<M> = M extends Method ? { readonly name: M } : never;

export function estimatorFor(choice: MethodChoice): Estimator {
  const options = typeof choice === "string" ? ({ name: choice } as Plain<Method>) : choice;
  switch (options.name) {
    case "exact":
      return exact;
    case "leave-one-out":
      return leaveOneOut;
    case "present-absent":
      return presentAbsent(options);
    case "permutation":
      return permutation(options);
    case "stratified":
      return stratified;
    case "kernel":
      return kernel;
    case "regression":
      return regression(options);
  }
}

/** The target to use when none is given. */
export function defaultTarget(method: Method, players: number): Target {
  switch (method) {
    case "leave-one-out":
      return { horizon: 1 };
    case "kernel":
    case "present-absent":
      return "shapley";
    default:
      return { horizon: Math.ceil(0.4 * players) };
  }
}

/** The least number each value may take; -Infinity where there is no cap. */
export function floorsOf(game: Game, cap: EstimateOptions["cap"] = true): Float64Array {
  const caps = cap === true ? (game.caps ?? {}) : cap === false ? {} : cap;
  for (const [name, at] of Object.entries(caps)) {
    if (!game.values.includes(name) || !Number.isFinite(at)) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Capping values: got ${at} for "${name}"; caps are finite numbers for the game's values, ` +
          `${game.values.join(", ")}.`,
      );
    }
  }
  return Float64Array.from(game.values, (name) => -(caps[name] ?? Number.POSITIVE_INFINITY));
}

export function checkLimits(options: EstimateOptions, game: Game): void {
  checkOptions("Estimating", options, optionChecks);
  if (options.cost !== undefined && game.costOf === undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating: got a budget of ${options.cost} block evaluations, but this game has no costOf to ` +
        `count them. Limit evaluations or seconds.`,
    );
  }
  const { stop } = options;
  if (stop === undefined) return;
  const confidence = stop.confidence ?? 0.95;
  const players = game.players.length;
  if (
    !Number.isInteger(stop.lowest) ||
    stop.lowest < 1 ||
    stop.lowest >= players ||
    !(confidence > 0 && confidence < 1)
  ) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating: got stop = { lowest: ${stop.lowest}, confidence: ${confidence} }; lowest is an ` +
        `integer from 1 to ${players - 1}, confidence a number between 0 and 1.`,
    );
  }
  if (stop.value !== undefined && !game.values.includes(stop.value)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating: stop names the value "${stop.value}"; the game's values are ${game.values.join(", ")}.`,
    );
  }
}
