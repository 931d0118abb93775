import type { UnitName } from "../protocol/common.ts";
import type { Params, Result } from "../protocol/methods.ts";
import type { WorkSplit } from "../protocol/subnetworks.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Scorable } from "./scorable.ts";
import { type HeldRepair, type Subject, subjectParams } from "./subject.ts";

/** Subnetworks of one model, as the wire has them. */
export interface Subnetworks {
  /** Units that stay or go together, in the order of the masks' bits. */
  readonly players: readonly (readonly UnitName[])[];
  /**
   * A row per subnetwork, `maskBytes(players)` wide: bit p % 8 of byte p // 8, lowest first, where player p
   * stays.
   */
  readonly kept: Uint8Array;
  readonly repairs: readonly HeldRepair[];
  /** As `kept`, over the repairs: which are in place. Absent: each wherever its units are removed. */
  readonly repaired?: Uint8Array | undefined;
}

export type EngineParams = Pick<
  Params<"subnetworks.evaluate">,
  "scoredPositions" | "batchSize" | "memoryBudget" | "precision"
>;

/**
 * Finished rows, of each its measures one after the other, and where it was asked for, what each sequence or
 * item has alone, the same for all of these rows: its measures, sequence after sequence.
 */
export type OnRows = (
  rows: ArrayLike<number>,
  values: ArrayLike<number>,
  counts: readonly number[],
  bySequence: ArrayLike<number> | undefined,
) => void;

/** Bytes of a mask over so many bits. */
export const maskBytes = (bits: number): number => Math.ceil(bits / 8);

/** A row of bits each, `maskBytes` wide, the lowest bit of a byte first. */
export function packBits(rows: readonly (readonly boolean[])[]): Uint8Array<ArrayBuffer> {
  const width = maskBytes(rows[0]?.length ?? 0);
  const data = new Uint8Array(rows.length * width);
  for (const [row, bits] of rows.entries()) {
    for (const [column, bit] of bits.entries()) {
      const at = row * width + (column >>> 3);
      if (bit) data[at] = (data[at] ?? 0) | (1 << (column & 7));
    }
  }
  return data;
}

/** Of subnetworks that lose these units each. */
export function keptMasks(removed: readonly (readonly UnitName[])[]): Pick<Subnetworks, "players" | "kept"> {
  // A subnetwork that removes nothing needs a column too.
  const units = [...new Set(removed.flat())];
  if (units.length === 0) units.push("block.0");
  const gone = removed.map((names) => new Set(names));
  return {
    players: units.map((unit) => [unit]),
    kept: packBits(gone.map((names) => units.map((unit) => !names.has(unit)))),
  };
}

/**
 * How a cluster would share the work of measuring them, without doing it; null where the worker has none.
 */
export async function splitOfWork(
  model: Subject,
  data: Scorable,
  removed: readonly (readonly UnitName[])[],
  call: CallOptions,
): Promise<WorkSplit | null> {
  const { players, kept } = keptMasks(removed);
  const params = {
    model: model.handle.on(model.connection),
    data: data.on(model.connection),
    players,
    kept: { tensor: 0 },
    measures: [...data.measures],
  };
  const tensors = [masks(kept, players.length)];
  const { result } = await model.connection.call("subnetworks.split", params, { ...call, tensors });
  return result.split;
}

/**
 * Has the worker measure subnetworks; `onRows` hears of each as it is finished, in no fixed order. After a
 * crash those that are left are measured.
 */
export async function measureSubnetworks(
  model: Subject,
  data: Scorable,
  subnetworks: Subnetworks,
  measures: Params<"subnetworks.evaluate">["measures"],
  engine: EngineParams,
  { onRows, bySequence = false, ...call }: CallOptions & { onRows: OnRows; bySequence?: boolean },
): Promise<Result<"subnetworks.evaluate">> {
  const { players, repairs } = subnetworks;
  const left = new Set(subnetworkRows(subnetworks));
  // Of each row that is asked for, its place among all.
  let places: readonly number[] = [...left];
  const params = {
    ...engine,
    model: model.handle.on(model.connection),
    data: data.on(model.connection),
    players,
    kept: { tensor: 0 },
    repairs: subjectParams({ ...model, repairs }).repairs,
    repaired: subnetworks.repaired === undefined ? null : { tensor: 1 },
    measures,
    bySequence,
    screening: model.screening,
  };
  const { result } = await model.connection.call("subnetworks.evaluate", params, {
    ...call,
    tensors: tensorsOf(subnetworks),
    onPart: (part, tensor) => {
      const rows = Array.from(tensor(part.rows).data, (row) => places[row] ?? row);
      if (!rows.some((row) => left.has(row))) return; // told before a crash
      for (const row of rows) left.delete(row);
      const apart = part.bySequence === null ? undefined : tensor(part.bySequence).data;
      onRows(rows, tensor(part.values).data, part.counts, apart);
    },
    again: () => {
      // Where all were told but the end, one is measured twice.
      places = left.size > 0 ? [...left] : places.slice(-1);
      return { params: {}, tensors: tensorsOf(pickRows(subnetworks, places)) };
    },
  });
  return result;
}

const subnetworkRows = ({ kept, players }: Subnetworks): Iterable<number> =>
  new Array(kept.length / maskBytes(players.length)).keys();

/** Some of the subnetworks, in the order of these rows. */
export function pickRows(subnetworks: Subnetworks, rows: readonly number[]): Subnetworks {
  const { players, kept, repairs, repaired } = subnetworks;
  return {
    ...subnetworks,
    kept: pick(kept, maskBytes(players.length), rows),
    repaired: repaired === undefined ? undefined : pick(repaired, maskBytes(repairs.length), rows),
  };
}

function pick(masks: Uint8Array, width: number, rows: readonly number[]): Uint8Array {
  const picked = new Uint8Array(rows.length * width);
  for (const [place, row] of rows.entries()) {
    picked.set(masks.subarray(row * width, (row + 1) * width), place * width);
  }
  return picked;
}

function tensorsOf({ players, kept, repairs, repaired }: Subnetworks): Tensor[] {
  const tensors = [masks(kept, players.length)];
  if (repaired !== undefined) tensors.push(masks(repaired, repairs.length));
  return tensors;
}

function masks(data: Uint8Array, bits: number): Tensor<"uint8"> {
  const width = maskBytes(bits);
  // None is shared memory. The declarations do not say so, as TypeScript before 5.7 has no word for it.
  const own = data as Uint8Array<ArrayBuffer>;
  return { dtype: "uint8", shape: [data.length / width, width], data: own };
}
