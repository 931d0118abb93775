import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import type { Subject } from "../evaluation/subject.ts";
import { anOptionsObject, aWhole, checkArgument } from "../options.ts";
import { type UnitKind, type UnitName, unitKinds } from "../protocol/common.ts";
import {
  type GradientMetric,
  gradientMetrics,
  type InfluenceMetric,
  influenceChoice,
  influenceMetrics,
  type influenceOptions,
  influenceView,
} from "../protocol/influence.ts";
import type { CallOptions } from "../rpc/connection.ts";
import { heldBy } from "../rpc/handle.ts";
import { parseParams } from "../rpc/parse-params.ts";
import { lowest, ranking } from "../selection/rank.ts";
import { leastSpan, type Span } from "../selection/span.ts";
import type { Corpus } from "./corpus.ts";

export interface InfluenceOptions
  extends CallOptions,
    z.input<typeof influenceOptions>,
    z.input<typeof influenceView> {}

/** One number for every kind, metric and block. */
export type InfluenceTable<T = number> = Record<UnitKind, Record<InfluenceMetric, T[]>>;

export interface InfluenceData {
  depth: number;
  values: InfluenceTable;
  /** Of the mean over sequences; null where a single sequence tells nothing of it. */
  standardErrors: InfluenceTable<number | null>;
  /** `angular[n - 1][l]`: mean angular distance, in units of pi, across the n blocks from block l. */
  angular: number[][];
  angularTokens: "last" | "all";
  skipFirstTokens: number;
  sequences: number;
  tokens: number;
  seconds: number;
}

export interface RankedUnit {
  unit: UnitName;
  value: number;
  standardError: number | null;
}

/**
 * The static influence of every unit: how far it moves the residual stream. Low means: remove first.
 * All kinds and metrics come from one pass (ShortGPT, arXiv 2403.03853; arXiv 2407.16286; for angular
 * distances arXiv 2403.17887).
 */
export class Influence {
  readonly data: InfluenceData;
  readonly #kind: UnitKind;
  readonly #metric: InfluenceMetric;

  /** @throws DepthkitError INVALID_ARGUMENT for a kind or a metric that is none */
  constructor(data: InfluenceData, units?: UnitKind, metric?: InfluenceMetric) {
    const view = parseParams("Seeing an influence", influenceView, { units, metric });
    this.data = data;
    this.#kind = view.units;
    this.#metric = view.metric;
  }

  /** The kind of unit it is seen by. */
  get units(): UnitKind {
    return this.#kind;
  }

  /** The metric it is seen by. */
  get metric(): InfluenceMetric {
    return this.#metric;
  }

  /** The same measurement, seen by another kind of unit or metric; nothing is measured again. */
  by(kind: UnitKind, metric: InfluenceMetric = this.#metric): Influence {
    return new Influence(this.data, kind, metric);
  }

  /** Every unit of the kind with its value, lowest first; equal values in order of depth. */
  ranking(): RankedUnit[] {
    const values = this.data.values[this.#kind][this.#metric];
    const errors = this.data.standardErrors[this.#kind][this.#metric];
    return ranking(values).map((index) => ({
      unit: `${this.#kind}.${index}`,
      value: at(values, index),
      standardError: at(errors, index),
    }));
  }

  /** The `count` units to remove first. */
  lowest(count: number): UnitName[] {
    return lowest(this.data.values[this.#kind][this.#metric], count).map(
      (index) => `${this.#kind}.${index}` as const,
    );
  }

  /** The `count` units to keep by all means. */
  highest(count: number): UnitName[] {
    checkArgument("highest", "count", count, aWhole(0));
    const all = this.data.depth;
    return this.lowest(all).reverse().slice(0, Math.min(count, all));
  }

  /** The run of `length` blocks with the least angular distance between its ends. */
  span(length: number): Span & { units: UnitName[] } {
    const span = leastSpan(this.data.angular, length);
    return { ...span, units: Array.from({ length }, (_, offset) => `block.${span.start + offset}` as const) };
  }

  toJSON(): InfluenceData {
    return this.data;
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new DepthkitError("INTERNAL", `There is no value for block ${index}.`);
  return value;
}

/**
 * Whether the options' metric takes gradients.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a kind or a metric that is none
 */
export function byGradients<G extends { metric: GradientMetric }>(options: object | G): options is G {
  const { units, metric } = anOptionsObject("influence.measure", options) as Record<string, never>;
  // How it will be seen is refused before anything is measured.
  const choice = parseParams("influence.measure", influenceChoice, { units, metric });
  return gradientMetrics.some((name) => name === choice.metric);
}

export async function measureInfluence(
  { connection, handle, info }: Subject,
  corpus: Corpus,
  given: InfluenceOptions,
): Promise<Influence> {
  const { units, metric, ...options } = anOptionsObject("influence.measure", given);
  parseParams("influence.measure", influenceView, { units, metric });
  const held = heldBy(connection, "influence.measure", "corpus", corpus);
  const subject = { model: handle.on(connection), corpus: held };
  const { result, tensor } = await connection.request("influence.measure", subject, options);
  const { depth } = info;
  const rows = (values: ArrayLike<number>, from: number) =>
    Array.from({ length: depth }, (_, l) => values[from + l] ?? 0);
  const table = <T>(values: ArrayLike<number>, convert: (value: number) => T): InfluenceTable<T> =>
    record(unitKinds, (kind) =>
      record(influenceMetrics, (name) => {
        const row = result.kinds.indexOf(kind) * result.metrics.length + result.metrics.indexOf(name);
        return rows(values, row * depth).map(convert);
      }),
    );
  const angular = tensor(result.angular).data;
  const data: InfluenceData = {
    depth,
    values: table(tensor(result.values).data, (value) => value),
    standardErrors: table(tensor(result.standardErrors).data, (value) =>
      Number.isNaN(value) ? null : value,
    ),
    angular: Array.from({ length: depth }, (_, n) => rows(angular, n * depth).slice(0, depth - n)),
    angularTokens: result.angularTokens,
    skipFirstTokens: result.skipFirstTokens,
    sequences: result.sequences,
    tokens: result.tokens,
    seconds: result.seconds,
  };
  return new Influence(data, units, metric);
}

function record<K extends string, V>(keys: readonly K[], value: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, V>;
}
