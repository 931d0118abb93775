import { DepthkitError } from "../errors.ts";
import { aFlag, anyOf, aText, checkArgument, listOf } from "../options.ts";
import type { UnitName } from "../protocol/common.ts";
import { engineOptions, type Measure, type WorkSplit } from "../protocol/subnetworks.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { aHandle } from "../rpc/handle.ts";
import { checkCallOptions } from "../rpc/parse-params.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import { Evaluator } from "./evaluator.ts";
import { productsOf } from "./precision.ts";
import type { Scorable } from "./scorable.ts";
import type { HeldRepair, Subject } from "./subject.ts";
import {
  type EngineParams,
  keptMasks,
  measureSubnetworks,
  packBits,
  type Subnetworks,
} from "./subnetworks.ts";

/** How the engine works, and where what it measures is kept. */
export interface EngineOptions extends CallOptions, EngineParams {
  /**
   * Keep every subnetwork's measures in this folder as they are finished; games over the same data share it.
   */
  journal?: string | undefined;
}

/** The values of one subnetwork: nats for `loss` and `kl`. */
export interface SubnetworkScore {
  /** Its place among those asked for. */
  index: number;
  values: Readonly<Partial<Record<Measure, number>>>;
  /**
   * Where `bySequence` asked for it, what each sequence of the corpus, or item of the task, has alone: 1 or 0
   * for `accuracy`, NaN where nothing of a sequence is scored.
   */
  bySequence?: Readonly<Partial<Record<Measure, Float64Array>>>;
}

/** The measures of many subnetworks, in the order in which they were asked for. */
export interface SubnetworkScores {
  measures: readonly Measure[];
  /** One entry per subnetwork, in the order asked for. */
  scores: SubnetworkScore[];
  /** Positions or items each measure is a mean over. */
  counts: readonly number[];
  /** Subnetworks computed; the others equal one of them, or the journal had them. */
  distinct: number;
  /** Subnetworks with a value that is NaN or infinite. */
  notFinite: number[];
  /** Blocks run on a batch, a sublayer counting as its share. */
  blockEvaluations: number;
  /** 0 where nothing was computed. */
  batchSize: number;
  /** How the work was cut for the actors of a cluster; null where the worker's own device did it. */
  split: Readonly<WorkSplit> | null;
  /** What did not go as planned: batches halved for memory, repairs that apply nowhere. */
  notes: readonly string[];
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

  /** @internal */
  constructor(start: (onScore: (score: SubnetworkScore) => void) => Promise<SubnetworkScores>) {
    this.result = start((score) => {
      this.#finished.push(score);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    // Who only iterates learns of a failure from the iterator.
    this.result.then(end, end);
  }

  /** Each subnetwork as it is measured. */
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

/** A subnetwork to be measured: what it is without, and the repairs in place. */
export interface MeasuredSubnetwork {
  readonly removed: readonly UnitName[];
  readonly repairs: readonly HeldRepair[];
}

export interface EvaluateSubnetworksParams extends EngineOptions {
  measures?: readonly Measure[] | undefined;
  /**
   * Also give what each sequence or item has alone, for errors and paired differences. A journal keeps
   * means alone, so this takes none.
   */
  bySequence?: boolean | undefined;
  /** In place wherever their units are removed; the subnetworks then have none of their own. */
  repairs?: readonly HeldRepair[] | undefined;
}

/** What is wrong with the subnetworks, `result` and the iterator say, as of all else. */
export function evaluateSubnetworks(
  model: Subject,
  data: Scorable,
  subnetworks: () => readonly MeasuredSubnetwork[],
  options: EvaluateSubnetworksParams,
): SubnetworkEvaluation {
  return new SubnetworkEvaluation(async (onScore) => run(model, data, subnetworks(), options, onScore));
}

async function run(
  model: Subject,
  data: Scorable,
  subnetworks: readonly MeasuredSubnetwork[],
  options: EvaluateSubnetworksParams,
  onScore: (score: SubnetworkScore) => void,
): Promise<SubnetworkScores> {
  const call = "evaluateSubnetworks";
  checkArgument(call, "data", data, aHandle("a corpus or a task"));
  checkCallOptions(call, options, engineOptions, {
    ...workerCallChecks,
    journal: aText,
    measures: listOf(anyOf(...data.measures), 1),
    bySequence: aFlag,
    repairs: listOf(aHandle("a repair")),
  });
  const {
    measures = [data.measures[0]],
    repairs: everywhere,
    journal,
    bySequence = false,
    signal,
    onProgress,
    timeoutMs,
    ...engine
  } = options;
  if (bySequence && journal !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `${call}: a journal keeps the mean of each subnetwork, not what each sequence has alone; give ` +
        "`bySequence` or `journal`.",
    );
  }
  productsOf(model, engine.precision);
  const started = performance.now();
  const { players, kept } = keptMasks(subnetworks.map(({ removed }) => removed));
  const own = subnetworks.map(({ repairs }) => repairs);
  const placed = everywhere === undefined ? ownRepairs(own) : sharedRepairs(everywhere, own);
  const scoreOf = (index: number, values: ArrayLike<number | undefined>): SubnetworkScore => ({
    index,
    values: Object.fromEntries(measures.map((name, column) => [name, values[column] ?? Number.NaN])),
  });
  const asked = { players, kept, ...placed };
  const told = { signal, onProgress, timeoutMs };
  if (bySequence) {
    const scores: SubnetworkScore[] = [];
    const result = await measureSubnetworks(model, data, asked, [...measures], engine, {
      ...told,
      bySequence,
      onRows: (rows, values, _, apart = []) => {
        const own = Object.fromEntries(
          measures.map((name, column) => [name, columnOf(apart, column, measures.length)]),
        );
        for (const [place, index] of Array.from(rows).entries()) {
          const row = Array.from(measures, (_, column) => values[place * measures.length + column]);
          scores[index] = { ...scoreOf(index, row), bySequence: own };
          onScore(scores[index]);
        }
      },
    });
    const { counts, notFinite, distinct, blockEvaluations, batchSize, split, notes, seconds } = result;
    const effort = { distinct, blockEvaluations, batchSize, split, notes, seconds };
    return { measures, scores, counts, notFinite: [...notFinite], ...effort };
  }
  await using evaluator = await Evaluator.open(model, data, { measures, engine, journal });
  const { values, counts } = await evaluator.measure(asked, {
    ...told,
    onRow: (row, found) => onScore(scoreOf(row, found)),
  });
  const rowOf = (row: number) => values.subarray(row * measures.length, (row + 1) * measures.length);
  return {
    measures,
    scores: subnetworks.map((_, row) => scoreOf(row, rowOf(row))),
    counts,
    notFinite: subnetworks.flatMap((_, row) => (rowOf(row).every(Number.isFinite) ? [] : [row])),
    ...evaluator.effort,
    seconds: (performance.now() - started) / 1000,
  };
}

/** One column of rows of so many. */
const columnOf = (rows: ArrayLike<number>, column: number, width: number): Float64Array =>
  Float64Array.from({ length: rows.length / width }, (_, row) => rows[row * width + column] ?? Number.NaN);

/** One bit per unit and subnetwork, over the units that any of them removes. */
type Placed = Pick<Subnetworks, "repairs" | "repaired">;

function ownRepairs(own: readonly (readonly HeldRepair[])[]): Placed {
  const repairs = [...new Set(own.flat())];
  if (repairs.length === 0) return { repairs };
  return { repairs, repaired: packBits(own.map((ones) => repairs.map((repair) => ones.includes(repair)))) };
}

function sharedRepairs(repairs: readonly HeldRepair[], own: readonly (readonly HeldRepair[])[]): Placed {
  if (own.some((ones) => ones.length > 0)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "evaluateSubnetworks was given `repairs` for all and a subnetwork with repairs of its own; use one " +
        "of the two.",
    );
  }
  return { repairs };
}
