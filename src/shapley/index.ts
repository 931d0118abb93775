/** Shapley and horizon values over any game: pure, it knows of no model and loads no addon. */
export {
  type CacheCounts,
  CachedGame,
  Coalition,
  type EvaluateOptions,
  type FunctionGameOptions,
  type Game,
  gameFromFunction,
  type RowStore,
  type StoredRow,
  type ValueOf,
} from "../game/index.ts";
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
export type { EstimateOptions, MethodChoice, Progress } from "./options.ts";
export type { StopReason } from "./session.ts";
export type { Target } from "./target.ts";
