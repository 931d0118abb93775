import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { anyOf, aWhole, checkArgument } from "../options.ts";
import type { UnitKind, UnitName } from "../protocol/common.ts";
import type { InfluenceMetric, influenceOptions, influenceView } from "../protocol/influence.ts";
import { influenceDefaults, influenceMetrics, unitKinds } from "../protocol/names.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { lowest, ranking } from "../selection/rank.ts";
import { leastSpan, type Span } from "../selection/span.ts";

export interface InfluenceOptions
  extends CallOptions,
    z.input<typeof influenceOptions>,
    z.input<typeof influenceView> {}

/** One number for every kind, metric and block. */
export type InfluenceTable<T = number> = Record<UnitKind, Record<InfluenceMetric, T[]>>;

/** Influence as data. */
export interface InfluenceData {
  /** Blocks of the model. */
  depth: number;
  /** Means over the tokens counted, by kind and metric, block by block. */
  values: InfluenceTable;
  /** Of the mean over sequences; null where a single sequence tells nothing of it. */
  standardErrors: InfluenceTable<number | null>;
  /** `angular[n - 1][l]`: mean angular distance, in units of pi, across the n blocks from block l. */
  angular: number[][];
  /**
   * `cosines[i][j]`: mean cosine between the stream in front of block i and in front of block j, `depth`
   * being behind the last block. There where it was asked for.
   */
  cosines?: number[][];
  /** Tokens of a sequence that the angular distance is averaged over. */
  angularTokens: "last" | "all";
  /** Tokens at each sequence's start that were left out. */
  skipFirstTokens: number;
  /** Sequences measured on. */
  sequences: number;
  /** Tokens counted. */
  tokens: number;
  /** Seconds it took. */
  seconds: number;
  /** Sublayers that the model was made without: they have no influence. None where it is left out. */
  absent?: readonly UnitName[];
}

/** A unit and its influence. */
export interface RankedUnit {
  /** Its name, such as `attention.7`. */
  unit: UnitName;
  /** Its influence by the kind and metric of the view. */
  value: number;
  /** Of the mean over sequences; null where a single one tells nothing of it. */
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
  constructor(
    data: InfluenceData,
    units: UnitKind = influenceDefaults.units,
    metric: InfluenceMetric = influenceDefaults.metric,
  ) {
    checkArgument("Seeing an influence", "units", units, anyOf(...unitKinds));
    checkArgument("Seeing an influence", "metric", metric, anyOf(...influenceMetrics));
    this.data = data;
    this.#kind = units;
    this.#metric = metric;
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
    const all = this.#all();
    return ranking(all.map(({ value }) => value)).map((place) => at(all, place));
  }

  /** By depth, those that the model has. */
  #all(): RankedUnit[] {
    const { values, standardErrors, absent = [] } = this.data;
    const errors = standardErrors[this.#kind][this.#metric];
    return values[this.#kind][this.#metric]
      .map((value, block) => ({
        unit: `${this.#kind}.${block}` as const,
        value,
        standardError: at(errors, block),
      }))
      .filter(({ unit }) => !absent.includes(unit));
  }

  /** Every unit of the kind by name, as `compareScores`, `measureRemovalCosts` and `search` take scores. */
  toScores(): { name: string; scores: Record<UnitName, number> } {
    const scores = this.#all().map(({ unit, value }) => [unit, value]);
    return { name: this.#metric, scores: Object.fromEntries(scores) as Record<UnitName, number> };
  }

  /** The `count` units to remove first. */
  lowest(count: number): UnitName[] {
    const all = this.#all();
    const values = all.map(({ value }) => value);
    return lowest(values, count).map((place) => at(all, place).unit);
  }

  /** The `count` units to keep by all means. */
  highest(count: number): UnitName[] {
    checkArgument("highest", "count", count, aWhole(0));
    const all = this.#all().length;
    return this.lowest(all).reverse().slice(0, Math.min(count, all));
  }

  /** The run of `length` blocks with the least angular distance between its ends. */
  span(length: number): Span & { units: UnitName[] } {
    const span = leastSpan(this.data.angular, length);
    return { ...span, units: Array.from({ length }, (_, offset) => `block.${span.start + offset}` as const) };
  }

  /** The same as data, for a file. */
  toJSON(): InfluenceData {
    return this.data;
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new DepthkitError("INTERNAL", `There is no value for block ${index}.`);
  return value;
}
