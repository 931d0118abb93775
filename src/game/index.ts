export type { StoredValue } from "../journal/entry.ts";
export type { JournalKey } from "../journal/key.ts";
export { type CacheCounts, CachedGame, type ValueStore } from "./cache.ts";
export { Coalition, maxPlayers } from "./coalition.ts";
export { compareByDepth, type PlayerCosts, prefixCost, sortByDepth } from "./depth-order.ts";
export {
  type EvaluateOptions,
  type FunctionGameOptions,
  type Game,
  gameFromFunction,
  type ValueOf,
} from "./game.ts";
export { Journal, type JournalOptions } from "./journal.ts";
export {
  groupUnits,
  type MeasureColumns,
  type SubnetworkEvaluator,
  type UnitGameOptions,
  unitGame,
  type ValueDefinition,
  valueOfMeasure,
} from "./unit-game.ts";
