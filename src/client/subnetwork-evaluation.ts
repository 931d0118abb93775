import { DepthkitError } from "../errors.ts";
import type { UnitName } from "../protocol/common.ts";
import type { Measure } from "../protocol/subnetworks.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { Corpus } from "./corpus.ts";
import type { Subnetwork } from "./subnetwork.ts";
import { checkUnits } from "./units.ts";

export interface EvaluateSubnetworksOptions extends CallOptions {
  /** Default `loss`. One pass yields all that are asked for. */
  measures?: readonly Measure[];
  /** Positions of each sequence that are scored. Default all. */
  scoredPositions?: "all" | { every: number } | { last: number };
  /** Sequences a batch. Default: as many as pay and fit. */
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
  /** Positions each measure is a mean over. */
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
  corpus: Corpus,
  subnetworks: readonly (Subnetwork | readonly string[])[],
  options: EvaluateSubnetworksOptions,
): SubnetworkEvaluation {
  return new SubnetworkEvaluation((onScores) =>
    run(connection, model, corpus, subnetworks, options, onScores),
  );
}

async function run(
  connection: Connection,
  model: { model: string; depth: number },
  corpus: Corpus,
  subnetworks: readonly (Subnetwork | readonly string[])[],
  {
    measures = ["loss"],
    scoredPositions = "all",
    batchSize,
    memoryBudget,
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
  const params = {
    model: model.model,
    corpus: corpus.info.corpus,
    units,
    kept: { tensor: 0 },
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
    tensors: [kept],
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
  const column = new Map(units.map((unit, index) => [unit, index]));
  const width = Math.ceil(units.length / 8);
  const data = new Uint8Array(removed.length * width).fill(0xff);
  const rest = units.length % 8;
  for (const [row, gone] of removed.entries()) {
    if (rest !== 0) data[(row + 1) * width - 1] = 2 ** rest - 1;
    for (const unit of gone) {
      const bit = column.get(unit) ?? 0;
      const at = row * width + (bit >>> 3);
      data[at] = (data[at] ?? 0) & ~(1 << (bit & 7));
    }
  }
  return { units, kept: { dtype: "uint8", shape: [removed.length, width], data } };
}
