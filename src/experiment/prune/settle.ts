import { item } from "../../arrays.ts";
import type { RepairOptions } from "../../model/repair.ts";
import { fittedToSet, type GapRepairOptions } from "../../model/search/gap-repairs.ts";
import type { UnitName } from "../../protocol/common.ts";
import { unitKinds } from "../../protocol/names.ts";
import { gapRepairMethods } from "../../protocol/repair.ts";
import { ranking } from "../../ranks.ts";
import { trains } from "../checkpoints.ts";
import { baselineNames, type ContenderName, takesBlocks } from "./names.ts";
import { onlyBlocks, type PruneOptions } from "./options.ts";

/** Chunks of a text that is measured besides. */
export const mostChunks = 32;

/** Of a low-rank map that names none; more wins little (docs/measurements/prune.md). */
const defaultRank = 256;

/** How the text is split, what was left out filled in, and how each part of it is made. */
export function textOf({ text = {} }: PruneOptions) {
  const { fit = 32, choose = [2, 8], report = 16, draw, length = 512, ...corpus } = text;
  return { split: { fit, choose, report, draw }, corpus: { length, ...corpus } };
}

/** What a pruning compares with; default: all baselines that keep to the kinds of units asked for. */
export const baselinesOf = ({ baselines, players }: PruneOptions): readonly ContenderName[] =>
  baselines ?? baselineNames.filter((name) => onlyBlocks(players) || !takesBlocks(name));

/** What every contender gets, and what stands in while sets are scored. */
export interface Repairs {
  readonly repair: RepairOptions | null;
  readonly scoring: GapRepairOptions | undefined;
}

export function repairsOf(options: PruneOptions, hiddenSize: number): Repairs {
  const rank = Math.min(defaultRank, hiddenSize);
  const lowRank = { method: "low-rank", rank } as const;
  const { repair = lowRank, scoring } = options;
  if (repair === null) return { repair, scoring };
  const own = fittedToSet(repair.method === "low-rank" ? { ...repair, rank: repair.rank ?? rank } : repair);
  return { repair: own, scoring: scoring ?? (standsIn(own) ? own : lowRank) };
}

/** Whether it can be put in place of any set of units. */
function standsIn(repair: RepairOptions): repair is GapRepairOptions {
  return gapRepairMethods.some((method) => method === repair.method) && !trains(repair);
}

/**
 * Who may go in a search, unless units are named: of each kind half of the players, or twice as many as go
 * where that is more, those of least score, or as many as a number says; and what goes in `known` sets. A
 * span is more alike from end to end than its blocks are by themselves.
 */
export function candidatesOf(
  { candidates }: PruneOptions,
  players: readonly UnitName[],
  scores: Readonly<Record<UnitName, number>>,
  removed: readonly UnitName[],
  known: readonly (readonly UnitName[])[],
): readonly UnitName[] {
  if (typeof candidates === "object") return candidates;
  const beside = (units: readonly UnitName[]) => [...new Set([...units, ...known.flat()])];
  const lowest = (units: readonly UnitName[], count: number) => {
    const order = ranking(units.map((unit) => scores[unit] ?? Number.NaN));
    return order.slice(0, count).map((place) => item(units, place));
  };
  if (candidates !== undefined) return beside(lowest(players, candidates));
  const ofEachKind = unitKinds.flatMap((kind) => {
    const ofKind = (unit: UnitName) => unit.startsWith(`${kind}.`);
    const own = players.filter(ofKind);
    return lowest(own, Math.max(Math.ceil(own.length / 2), 2 * removed.filter(ofKind).length));
  });
  return beside(ofEachKind);
}
