import type { RepairOptions } from "../../model/repair.ts";
import type { GapRepairOptions } from "../../model/search/gap-repairs.ts";
import type { SplitTextOptions } from "../../model/search/text-parts.ts";
import type { UnitName } from "../../protocol/common.ts";
import { unitKinds } from "../../protocol/names.ts";
import type { PruneOptions } from "./options.ts";

/** Chunks of a text that is measured besides. */
export const mostChunks = 32;

const defaultRepair = { method: "low-rank", rank: 32 } as const;

/** The split of the text, what was left out filled in. */
export function textOf({ text }: PruneOptions): SplitTextOptions & { fit: number; report: number } {
  return { length: 512, choose: [2, 8], ...text, fit: text?.fit ?? 32, report: text?.report ?? 16 };
}

/** What every contender gets, and what stands in while sets are scored. */
export interface Repairs {
  readonly repair: RepairOptions | null;
  readonly scoring: GapRepairOptions | undefined;
}

export function repairsOf({ repair = defaultRepair, scoring }: PruneOptions): Repairs {
  return { repair, scoring: scoring ?? scoringFor(repair) };
}

/** What can stand in for any set of units. */
function scoringFor(repair: RepairOptions | null): GapRepairOptions | undefined {
  if (repair === null) return undefined;
  const untrained = !("training" in repair) || repair.training == null;
  const inPlace = ["emulated-update", "low-rank", "patch"].includes(repair.method) && untrained;
  return inPlace ? repair : defaultRepair;
}

/**
 * Who may go in a search: of each kind half of the players, or twice as many as go where that is more, those
 * of least score.
 */
export function candidatesOf(
  { candidates }: PruneOptions,
  players: readonly UnitName[],
  scores: Readonly<Record<UnitName, number>>,
  removed: readonly UnitName[],
): readonly UnitName[] {
  if (typeof candidates === "object") return candidates;
  const lowest = (units: readonly UnitName[], count: number) =>
    units
      .map((unit) => ({ unit, score: scores[unit] ?? Number.NaN }))
      .sort((a, b) => a.score - b.score)
      .slice(0, count)
      .map(({ unit }) => unit);
  if (candidates !== undefined) return lowest(players, candidates);
  return unitKinds.flatMap((kind) => {
    const ofKind = (unit: UnitName) => unit.startsWith(`${kind}.`);
    const own = players.filter(ofKind);
    return lowest(own, Math.max(Math.ceil(own.length / 2), 2 * removed.filter(ofKind).length));
  });
}
