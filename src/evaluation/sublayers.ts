import type { PlayerCosts } from "../game/depth-order.ts";
import type { UnitName } from "../protocol/common.ts";
import { parseUnit, type Unit } from "../protocol/units.ts";

/** Places of a unit's sublayers in the model, two a block: what a removal loses, however it is said. */
export function sublayersOf({ kind, block }: Unit): readonly number[] {
  if (kind === "attention") return [2 * block];
  if (kind === "feed-forward") return [2 * block + 1];
  return [2 * block, 2 * block + 1];
}

/**
 * Names subnetworks by the sublayers they have lost, as hexadecimal digits: the same name for `block.3` and
 * for `attention.3` with `feed-forward.3`, whatever players a mask is over. Units are parsed once, here.
 */
export function sublayerKeys(
  players: readonly (readonly UnitName[])[],
  depth: number,
): (kept: Uint8Array, at: number) => string {
  const places = players.map((units) => units.map(parseUnit).flatMap(sublayersOf));
  const lost = new Uint8Array(Math.ceil(depth / 4));
  return (kept, at) => {
    lost.fill(0);
    for (const [player, sublayers] of places.entries()) {
      if ((((kept[at + (player >>> 3)] ?? 0) >>> (player & 7)) & 1) === 1) continue;
      for (const place of sublayers) lost[place >>> 3] = (lost[place >>> 3] ?? 0) | (1 << (place & 7));
    }
    return Buffer.from(lost).toString("hex");
  };
}

/**
 * What players, each some units in depth order, cost in a model of `depth` blocks: a sublayer is half a
 * block.
 */
export function playerCosts(players: readonly (readonly UnitName[])[], depth: number): PlayerCosts {
  const halves = players.map((units) => units.map(parseUnit).flatMap(sublayersOf));
  const taken = new Set(halves.flat());
  const others = Array.from({ length: 2 * depth }, (_, half) => half).filter((half) => !taken.has(half));
  return {
    own: halves.map((of) => of.length / 2),
    restFrom: halves.map(([first = 0]) => others.filter((half) => half > first).length / 2),
    rest: others.length / 2,
  };
}
