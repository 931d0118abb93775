import { DepthkitError } from "../../errors.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { BlockPattern } from "../../selection/pattern.ts";
import { spaceOf } from "../../selection/space-of.ts";
import { type ExportableInto, exportLimits, limitNotes } from "./exportable.ts";

/** What a format or an order of blocks leaves of the units that play. */
export interface Bounds {
  readonly stay: readonly UnitName[];
  /** An order that the blocks that stay must keep. */
  readonly pattern: BlockPattern | undefined;
  readonly notes: readonly string[];
}

/**
 * What a format leaves. `doing`: for the refusal.
 *
 * @throws DepthkitError EXPORT_UNSUPPORTED where it holds the model without none of the units
 */
export async function formatBounds(
  on: Subject,
  doing: string,
  units: readonly UnitName[],
  into: ExportableInto,
  call: CallOptions,
): Promise<Bounds> {
  const limits = await exportLimits(on, doing, units, into, call);
  return {
    stay: limits.refused.map(({ unit }) => unit),
    pattern: limits.keepsPattern ? (on.info.pattern ?? undefined) : undefined,
    notes: limitNotes(into.format, limits),
  };
}

/**
 * Refuses a number of units that cannot go so, before anything is measured.
 *
 * @throws DepthkitError INVALID_ARGUMENT, which says what stays as well
 */
export function checkNumber(
  players: readonly UnitName[],
  asked: Parameters<typeof spaceOf>[1],
  { notes }: Bounds,
): void {
  try {
    spaceOf({ players }, asked);
  } catch (error) {
    if (!(error instanceof DepthkitError) || notes.length === 0) throw error;
    throw new DepthkitError(error.code, [error.message, ...notes].join(" "), { details: error.details });
  }
}
