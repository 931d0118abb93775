import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { anyOf, aWhole, checkArgument } from "../options.ts";
import type { UnitKind, UnitName } from "../protocol/common.ts";
import type { GradientMetric, influenceGradientOptions, RankedUnits } from "../protocol/influence.ts";
import { gradientMetrics, influenceDefaults, rankedUnits } from "../protocol/names.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { ranking } from "../selection/rank.ts";
import type { RankedUnit } from "./influence.ts";

export interface GradientInfluenceOptions extends CallOptions, z.input<typeof influenceGradientOptions> {
  /** `taylor` or `gate`; both are measured. */
  metric: GradientMetric;
  /** Default: block. `sublayers` ranks attentions and feed-forwards together. */
  units?: RankedUnits | undefined;
}

/** One number for every kind, metric and block. */
export type GradientTable<T = number> = Record<UnitKind, Record<GradientMetric, T[]>>;

/** Influence by gradients as data. */
export interface GradientInfluenceData {
  /** Blocks of the model. */
  depth: number;
  /** By kind and metric, block by block. */
  values: GradientTable;
  /** Over sequences, of `gate`; null for `taylor`, and where a single sequence tells nothing of it. */
  standardErrors: GradientTable<number | null>;
  /** Numbers that `taylor` sums over. */
  weights: Record<UnitKind, number[]>;
  /** Mean next-token loss of the whole model, in nats. */
  loss: number;
  /** Sequences with a token to predict. */
  sequences: number;
  /** Tokens predicted. */
  tokens: number;
  /** Seconds it took. */
  seconds: number;
  /** Sublayers that the model was made without. None where it is left out. */
  absent?: readonly UnitName[];
}

/**
 * What the next-token loss would gain without each unit, to first order. Low means: remove first. `taylor` is
 * the sum of |weight x gradient| over the unit's weights (Shortened LLaMA, arXiv 2402.02834), `gate` minus
 * the gradient of a gate that multiplies its update, at 1. One backward pass per batch serves all units.
 */
export class GradientInfluence {
  readonly data: GradientInfluenceData;
  /** The kind of unit it is seen by, or both of sublayers. */
  readonly units: RankedUnits;
  /** The metric it is seen by. */
  readonly metric: GradientMetric;
  /**
   * What values are divided by: a sum over weights grows with their number, so that `taylor` of attentions
   * and feed-forwards together is a mean over them.
   */
  readonly dividedBy: "weights" | null;

  /** @throws DepthkitError INVALID_ARGUMENT for a kind or a metric that is none */
  constructor(
    data: GradientInfluenceData,
    metric: GradientMetric,
    units: RankedUnits = influenceDefaults.units,
  ) {
    checkArgument("Seeing an influence by gradients", "units", units, anyOf(...rankedUnits));
    checkArgument("Seeing an influence by gradients", "metric", metric, anyOf(...gradientMetrics));
    this.data = data;
    this.units = units;
    this.metric = metric;
    this.dividedBy = units === "sublayers" && metric === "taylor" ? "weights" : null;
  }

  /** The same measurement, seen by another kind of unit or metric; nothing is measured again. */
  by(units: RankedUnits, metric: GradientMetric = this.metric): GradientInfluence {
    return new GradientInfluence(this.data, metric, units);
  }

  /** Every unit of the kind with its value, lowest first; equal values in order of depth. */
  ranking(): RankedUnit[] {
    const all = this.#all();
    return ranking(all.map(({ value }) => value)).map((place) => present(all[place]));
  }

  /** Every unit by name, as `compareScores`, `measureRemovalCosts` and `search` take scores. */
  toScores(): { name: string; scores: Record<UnitName, number> } {
    const scores = this.#all().map(({ unit, value }) => [unit, value]);
    return { name: this.metric, scores: Object.fromEntries(scores) as Record<UnitName, number> };
  }

  /** The `count` units to remove first. */
  lowest(count: number): UnitName[] {
    const all = this.ranking();
    checkArgument("lowest", "count", count, aWhole(0, all.length));
    return all.slice(0, count).map(({ unit }) => unit);
  }

  /** The `count` units to keep by all means. */
  highest(count: number): UnitName[] {
    checkArgument("highest", "count", count, aWhole(0));
    return this.ranking()
      .reverse()
      .slice(0, count)
      .map(({ unit }) => unit);
  }

  /** The same as data, for a file. */
  toJSON(): GradientInfluenceData {
    return this.data;
  }

  /** By depth. */
  #all(): RankedUnit[] {
    const kinds: readonly UnitKind[] =
      this.units === "sublayers" ? (["attention", "feed-forward"] as const) : [this.units];
    const { depth, absent = [] } = this.data;
    return Array.from({ length: depth }, (_, index) => index)
      .flatMap((index) => kinds.map((kind) => this.#ranked(kind, index)))
      .filter(({ unit }) => !absent.includes(unit));
  }

  #ranked(kind: UnitKind, index: number): RankedUnit {
    const divisor = this.dividedBy === null ? 1 : present(this.data.weights[kind][index]);
    const error = this.data.standardErrors[kind][this.metric][index] ?? null;
    return {
      unit: `${kind}.${index}`,
      value: present(this.data.values[kind][this.metric][index]) / divisor,
      standardError: error === null ? null : error / divisor,
    };
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new DepthkitError("INTERNAL", "A unit has no value.");
  return value;
}
