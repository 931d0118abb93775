import { DepthkitError } from "../errors.ts";
import { aText, aWhole, checkArgument, listOf } from "../options.ts";
import type { UnitKind, UnitName } from "./common.ts";
import { unitKinds } from "./names.ts";

/** A removable part of the model, as a kind and a number. */
export interface Unit {
  /** A block, or a sublayer of one. */
  kind: UnitKind;
  /** Its block's number, from 0. */
  block: number;
}

/** Reads `attention.7` as its kind and its block's number. */
export function parseUnit(name: string): Unit {
  checkArgument("Reading a unit", "name", name, aText);
  const [kind, number, ...rest] = name.split(".");
  const known = unitKinds.find((candidate) => candidate === kind);
  if (known === undefined || rest.length > 0 || !/^[0-9]{1,6}$/.test(number ?? "")) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `"${name}" is no unit. A unit is block.N, attention.N or feed-forward.N, N a block's number from 0.`,
    );
  }
  return { kind: known, block: Number(number) };
}

/**
 * Checks units against a model's depth; gives them by depth, each once. A group, as the players of a game
 * are named, is its units: `block.3+block.4`.
 */
export function checkUnits(names: readonly string[], depth: number): UnitName[] {
  checkArgument("Reading units", "names", names, listOf(aText));
  checkArgument("Reading units", "depth", depth, aWhole(1));
  const units = names.flatMap((name) => name.split("+")).map(parseUnit);
  for (const { kind, block } of units) {
    if (block < depth) continue;
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `${kind}.${block} does not exist: the model has ${depth} blocks, numbered 0 to ${depth - 1}.`,
    );
  }
  const order = (unit: Unit) => unit.block * unitKinds.length + unitKinds.indexOf(unit.kind);
  const sorted = units
    .sort((a, b) => order(a) - order(b))
    .map(({ kind, block }): UnitName => `${kind}.${block}`);
  return [...new Set(sorted)];
}

/** What says which units a model has. */
export interface Shape {
  /** Number of blocks. */
  readonly depth: number;
  /** Sublayers that it was made without. */
  readonly absent?: readonly UnitName[] | undefined;
}

/** Every unit of a kind, by depth, without those that the model was made without. */
export function unitsOf(kind: UnitKind, { depth, absent = [] }: Shape): UnitName[] {
  const gone = new Set<UnitName>(absent);
  return Array.from({ length: depth }, (_, block) => `${kind}.${block}` as const).filter(
    (unit) => !gone.has(unit),
  );
}

/**
 * Refuses sublayers that the model was made without.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function checkPresent(units: readonly UnitName[], absent: readonly UnitName[]): void {
  const missing = units.filter((unit) => absent.includes(unit));
  if (missing.length === 0) return;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `There is no ${missing.join(", ")} in this model: the checkpoint was made without. ` +
      "`model.units(kind)` lists those that there are.",
  );
}
