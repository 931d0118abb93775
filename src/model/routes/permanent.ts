import { sublayersOf } from "../../evaluation/sublayers.ts";
import type { UnitName } from "../../protocol/common.ts";
import { parseUnit } from "../../protocol/units.ts";

/** Places of all sublayers that one of the masks removes, two a block. */
function goneSomewhere(masks: readonly (readonly UnitName[])[]): Set<number> {
  return new Set(masks.flat().map(parseUnit).flatMap(sublayersOf));
}

/**
 * The units that every mask keeps: a block where no mask removes anything of it, and the other sublayer of a
 * block of which masks remove one kind alone.
 */
export function permanentUnits(masks: readonly (readonly UnitName[])[], depth: number): UnitName[] {
  const gone = goneSomewhere(masks);
  return Array.from({ length: depth }, (_, block): UnitName[] => {
    const attention = !gone.has(2 * block);
    const feedForward = !gone.has(2 * block + 1);
    if (attention && feedForward) return [`block.${block}`];
    if (attention) return [`attention.${block}`];
    return feedForward ? [`feed-forward.${block}`] : [];
  }).flat();
}

/** How many blocks at the front all masks keep whole. */
export function commonFront(masks: readonly (readonly UnitName[])[], depth: number): number {
  const gone = [...goneSomewhere(masks)];
  return gone.reduce((front, place) => Math.min(front, Math.floor(place / 2)), depth);
}

/** Sublayers that a mask removes. */
export const removedSublayers = (removed: readonly UnitName[]): number => goneSomewhere([removed]).size;
