export { CachedGame } from "./cache.ts";
export { Coalition, maxPlayers } from "./coalition.ts";
export { compareByDepth, type PlayerCosts, prefixCost, sortByDepth } from "./depth-order.ts";
export {
  type EvaluateOptions,
  type FunctionGameOptions,
  type Game,
  gameFromFunction,
  type ValueOf,
} from "./game.ts";
export { type CacheCounts, type ComputeRows, RowCache, type RowStore, type StoredRow } from "./row-cache.ts";
export {
  groupUnits,
  type MeasureSource,
  type UnitGameOptions,
  unitGame,
  type ValueDefinition,
  valueOfMeasure,
} from "./unit-game.ts";
