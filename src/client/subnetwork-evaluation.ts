import { DepthkitError } from "../errors.ts";
import type { UnitName } from "../protocol/common.ts";
import type { RepairInfo } from "../protocol/repair.ts";
import type { Measure } from "../protocol/subnetworks.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { Corpus } from "./corpus.ts";
import type { Subnetwork } from "./subnetwork.ts";
import type { Task } from "./task.ts";
import { checkUnits } from "./units.ts";

export interface EvaluateSubnetworksOptions extends CallOptions {
  /** Default `loss` on a corpus, `accuracy` on a task. One pass yields all that are asked for. */
  measures?: readonly Measure[];
  /** Positions of each sequence of a corpus that are scored. Default all. */
  scoredPositions?: "all" | { every: number } | { last: number };
  /**
   * Repairs to put in place wherever their units are removed, such as those of emulated updates of many
   * units. Default: each subnetwork has its own.
   */
  repairs?: readonly RepairInfo[];
  /** Sequences, or items of a task, a batch; items behind the same examples are one. Default: as many as pay and fit. */
  batchSize?: number;
  /** Bytes the evaluation may take beside the model. */
  memoryBudget?: number;
}

/** The values of one subnetwork: nats for `loss` and `kl`. */
export interface SubnetworkScore {
  /** Its place among those asked for. */
  index: number;
  values: Readonly<Partial<Record<Measure, number>>>;
}

export interface SubnetworkScores {
  measures: Measure[];
  /** One entry a subnetwork, in the order asked for. */
  scores: SubnetworkScore[];
  /** Positions or items each measure is a mean over. */
  counts: number[];
  /** Subnetworks computed; the others equal one of them. */
  distinct: number;
  /** Subnetworks with a value that is NaN or infinite. */
  notFinite: number[];
  /** Blocks run on a batch, a sublayer counting as its share. */
  blockEvaluations: number;
  batchSize: number;
  /** What did not go as planned, such as batches halved for memory. */
  notes: string[];
  seconds: number;
}

/**
 * An evaluation under way: iterate over it for values as they are finished, in no fixed order, or take
 * them all from `result`.
 */
export class SubnetworkEvaluation implements AsyncIterable<SubnetworkScore> {
  readonly result: Promise<SubnetworkScores>;
  readonly #finished: SubnetworkScore[] = [];
  #wake: () => void = () => {};
  #ended = false;

  constructor(start: (onScores: (scores: SubnetworkScore[]) => void) => Promise<SubnetworkScores>) {
    this.result = start((scores) => {
      for (const score of scores) this.#finished.push(score);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    // Who only iterates learns of a failure from the iterator.
    this.result.then(end, end);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<SubnetworkScore> {
    for (let next = 0; ; next += 1) {
      while (next >= this.#finished.length && !this.#ended) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const score = this.#finished[next];
      if (score === undefined) break;
      yield score;
    }
    await this.result;
  }
}

export function evaluateSubnetworks(
  connection: Connection,
  model: { model: string; depth: number },
  data: Corpus | Task,
  subnetworks: readonly (Subnetwork | readonly string[])[],
  options: EvaluateSubnetworksOptions,
): SubnetworkEvaluation {
  return new SubnetworkEvaluation((onScores) => run(connection, model, data, subnetworks, options, onScores));
}

/** What is asked for where nothing is named. */
export function defaultMeasure(data: Corpus | Task): Measure {
  return "task" in data.info ? "accuracy" : "loss";
}

async function run(
  connection: Connection,
  model: { model: string; depth: number },
  data: Corpus | Task,
  subnetworks: readonly (Subnetwork | readonly string[])[],
  {
    measures = [defaultMeasure(data)],
    scoredPositions = "all",
    batchSize,
    memoryBudget,
    repairs: everywhere,
    ...call
  }: EvaluateSubnetworksOptions,
  onScores: (scores: SubnetworkScore[]) => void,
): Promise<SubnetworkScores> {
  if (subnetworks.length === 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "evaluateSubnetworks was given no subnetwork; it needs at least one.",
    );
  }
  const removed = subnetworks.map((subnetwork) =>
    "removed" in subnetwork ? [...subnetwork.removed] : checkUnits(subnetwork, model.depth),
  );
  const { units, kept } = masks(removed);
  const own = subnetworks.map((subnetwork) => ("removed" in subnetwork ? subnetwork.repairs : []));
  const { repairs, repaired } = everywhere === undefined ? ownRepairs(own) : sharedRepairs(everywhere, own);
  const params = {
    model: model.model,
    data: "task" in data.info ? data.info.task : data.info.corpus,
    units,
    kept: { tensor: 0 },
    repairs: repairs.map(({ repair }) => repair),
    repaired: repaired === undefined ? null : { tensor: 1 },
    measures: [...measures],
    positions: {
      every: typeof scoredPositions === "object" && "every" in scoredPositions ? scoredPositions.every : 1,
      last: typeof scoredPositions === "object" && "last" in scoredPositions ? scoredPositions.last : null,
    },
    batchSize: batchSize ?? null,
    memoryBudget: memoryBudget ?? null,
  };
  const { result, tensor } = await connection.call("subnetworks.evaluate", params, {
    ...call,
    tensors: repaired === undefined ? [kept] : [kept, repaired],
    onPart: (part, partTensor) => {
      const values = partTensor(part.values).data;
      onScores(Array.from(partTensor(part.rows).data, (index, row) => scoreOf(index, values, row, measures)));
    },
  });
  const values = tensor(result.values).data;
  return {
    ...result,
    scores: removed.map((_, index) => scoreOf(index, values, index, result.measures)),
  };
}

function scoreOf(
  index: number,
  values: Tensor["data"],
  row: number,
  measures: readonly Measure[],
): SubnetworkScore {
  const entries = measures.map((name, column) => [
    name,
    values[row * measures.length + column] ?? Number.NaN,
  ]);
  return { index, values: Object.fromEntries(entries) };
}

/** One bit a unit and subnetwork, over the units that any of them removes. */
function masks(removed: readonly (readonly UnitName[])[]): { units: UnitName[]; kept: Tensor<"uint8"> } {
  // A subnetwork that removes nothing needs a column too.
  const units = [...new Set(removed.flat())];
  if (units.length === 0) units.push("block.0");
  const gone = removed.map((names) => new Set(names));
  return { units, kept: packBits(gone.map((names) => units.map((unit) => !names.has(unit)))) };
}

interface PlacedRepairs {
  repairs: readonly RepairInfo[];
  /** Which subnetwork has which; undefined: each that its units are removed from. */
  repaired?: Tensor<"uint8">;
}

function ownRepairs(own: readonly (readonly RepairInfo[])[]): PlacedRepairs {
  const repairs = [...new Map(own.flat().map((repair) => [repair.repair, repair])).values()];
  if (repairs.length === 0) return { repairs };
  return { repairs, repaired: packBits(own.map((ones) => repairs.map((repair) => ones.includes(repair)))) };
}

function sharedRepairs(
  repairs: readonly RepairInfo[],
  own: readonly (readonly RepairInfo[])[],
): PlacedRepairs {
  if (own.some((ones) => ones.length > 0)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "evaluateSubnetworks was given `repairs` for all and a subnetwork with repairs of its own; use one of the two.",
    );
  }
  return { repairs };
}

/** Bit c % 8 of byte c // 8 of a row, lowest first, says what column c holds. */
function packBits(rows: readonly (readonly boolean[])[]): Tensor<"uint8"> {
  const width = Math.ceil((rows[0]?.length ?? 0) / 8);
  const data = new Uint8Array(rows.length * width);
  for (const [row, bits] of rows.entries()) {
    for (const [column, bit] of bits.entries()) {
      const at = row * width + (column >>> 3);
      if (bit) data[at] = (data[at] ?? 0) | (1 << (column & 7));
    }
  }
  return { dtype: "uint8", shape: [rows.length, width], data };
}
