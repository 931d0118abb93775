/**
 * Shapley and horizon values of any game of one's own: no model, no worker, no native addon. The same names
 * are part of the package's main entry.
 */
export { DepthkitError, type DepthkitErrorOptions, type ErrorCode } from "../errors.ts";
export { type CacheCounts, CachedGame, type ValueStore } from "../game/cache.ts";
export { Coalition, maxPlayers } from "../game/coalition.ts";
export { type PlayerCosts, prefixCost } from "../game/depth-order.ts";
export {
  type EvaluateOptions,
  type FunctionGameOptions,
  type Game,
  gameFromFunction,
  type ValueOf,
} from "../game/game.ts";
export { type Comparison, compareEstimates } from "./compare.ts";
export type { ValueDraft } from "./draft.ts";
export {
  type EstimateInfo,
  type PairEstimate,
  type PlayerEstimate,
  ShapleyEstimate,
  type TracePoint,
} from "./estimate.ts";
export { estimateShapley } from "./estimate-shapley.ts";
export { type Method, methods } from "./estimator.ts";
export type { PermutationOptions } from "./estimators/permutation.ts";
export type { PresentAbsentOptions } from "./estimators/present-absent.ts";
export type { RegressionOptions } from "./estimators/regression.ts";
export type { EstimateOptions, MethodChoice, Progress, StopRule } from "./options.ts";
export type { StopReason } from "./session.ts";
export type { Target } from "./target.ts";
