/** A record, read for its report: its curves, its protocols, and how its parts are called. */
import { createHash } from "node:crypto";
import { type Curve, type CurvePoint, curvesOf } from "../../experiment/study/curves.ts";
import type { StudyRecord } from "../../experiment/study/record.ts";
import { formatNumber } from "../../platform/format.ts";
import type { Axis, Tone } from "../figures/types.ts";

export interface Study {
  readonly record: StudyRecord;
  readonly curves: readonly Curve[];
  /** Ids of the protocols, by evaluation. */
  readonly protocols: ReadonlyMap<string, string>;
  /** Of the calibrations. */
  readonly calibrationProtocols: ReadonlyMap<string, string>;
  /** What stands before ids, where a report is of several records. */
  readonly prefix: string;
  /** What is across in the figures of removals. */
  readonly across: Across;
  /**
   * Of subnetworks that were profiled: the time of a token at the first batch size, by the whole model's.
   */
  readonly timeLeft: ReadonlyMap<string, number>;
}

/**
 * Removals as the plan has them, the share of the model's parameters that is gone, or the share of a token's
 * measured time.
 */
export type Across = "removals" | "parameters" | "time";

export function readStudy(
  record: StudyRecord,
  prefix: string,
  firstProtocol: number,
  across: Across = "removals",
): Study {
  const numbered = (names: readonly string[], from: number) =>
    new Map(names.map((name, at) => [name, `P${from + at}`]));
  const evaluations = [...new Set(record.evaluations.map(({ evaluation }) => evaluation))];
  const calibrations = [...new Set(record.calibrations.map(({ calibration }) => calibration))];
  return {
    record,
    curves: curvesOf(record),
    protocols: numbered(evaluations, firstProtocol),
    calibrationProtocols: numbered(calibrations, firstProtocol + evaluations.length),
    prefix,
    across,
    timeLeft: timeLeftOf(record),
  };
}

interface Profiled {
  readonly physical?: {
    readonly decode?: readonly { readonly againstDense?: { readonly median?: number } }[];
  };
}

function timeLeftOf(record: StudyRecord): Map<string, number> {
  const found = record.timings.profiles.flatMap(({ subnetwork, profile }) => {
    const speed = (profile as Profiled).physical?.decode?.[0]?.againstDense?.median;
    return speed === undefined ? [] : [[subnetwork, 1 / speed] as const];
  });
  return new Map(found);
}

/** How a curve's measure is shown: a loss as the perplexity that it is. */
export const shownName = ({ measure }: Pick<Curve, "measure">): string =>
  measure === "loss" ? "perplexity" : measure;

export const shown = ({ measure }: Pick<Curve, "measure">, value: number): number =>
  measure === "loss" ? Math.exp(value) : value;

export function valueAxis(curve: Pick<Curve, "measure">): Axis {
  const name = shownName(curve);
  if (name === "perplexity") return { name, scale: "log" };
  return name === "accuracy" ? { name, format: { style: "percent", digits: 0 } } : { name };
}

/** A measure's value in words. */
export function valueText(curve: Pick<Curve, "measure">, value: number): string {
  const number = shown(curve, value);
  return curve.measure === "accuracy" ? `${formatNumber(100 * number, 3)}%` : formatNumber(number, 3);
}

/** A difference in words: nats for losses, points for accuracies. */
export function differenceText({ measure }: Pick<Curve, "measure">, difference: number, sign = true): string {
  const plus = sign && difference > 0 ? "+" : "";
  if (measure === "accuracy") return `${plus}${formatNumber(100 * difference, 2)} points`;
  return `${plus}${formatNumber(difference, 2)}${measure === "loss" ? " nats" : ""}`;
}

/** A point with its interval, as it is drawn. */
export function drawn(
  curve: Curve,
  { value, above, low, high }: CurvePoint,
): { y: number | null; low?: number; high?: number } {
  const [least, most] =
    curve.measure === "accuracy" ? [0, 1] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const at = (difference: number) => shown(curve, Math.min(most, Math.max(least, curve.whole + difference)));
  if (value === null || above === null) return { y: null };
  // Around the paired difference, so that a band says what was told and not how hard the text is.
  return { y: at(above), ...(low === null || high === null ? {} : { low: at(low), high: at(high) }) };
}

export interface RankingKind {
  readonly name: string;
  readonly tone: Tone;
}

const kinds = {
  static: { name: "by influence", tone: "blue" },
  adaptive: { name: "by the loss of units", tone: "orange" },
  search: { name: "by looking at sets", tone: "green" },
  control: { name: "controls", tone: "grey" },
  order: { name: "given orders", tone: "violet" },
} as const satisfies Record<string, RankingKind>;

/** Of what kind a ranking is, by its name. */
export function kindOf({ record }: Study, ranking: string): RankingKind {
  const entry = record.plan.rankings.find(({ name }) => name === ranking);
  switch (entry?.by) {
    case "influence":
      return kinds.static;
    case "leave-one-out":
    case "values":
      return kinds.adaptive;
    case "search": {
      const way = entry.recipe ?? entry.strategy;
      return way === "tail" || way === "random" ? kinds.control : kinds.search;
    }
    case "order":
    case undefined:
      return kinds.order;
  }
}

/** What a ranking removes, in words: "blocks", "attention sublayers". */
export function unitsOf({ record }: Study, ranking: string): string {
  const entry = record.plan.rankings.find(({ name }) => name === ranking);
  if (entry === undefined || entry.by === "order") return "units";
  const [kind, ...more] = [entry.units].flat();
  if (more.length > 0 || kind === undefined) return "sublayers";
  return kind === "block" ? "blocks" : `${kind} sublayers`;
}

/**
 * Small letters, digits and hyphens. Names that differ in signs or in letters of other scripts alone are told
 * apart by a digest behind.
 */
export function slug(...parts: readonly string[]): string {
  const name = parts.join("-").toLowerCase();
  const plain = name.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  if (!/[^a-z0-9 ._/:,-]/.test(name)) return plain;
  return `${plain}-${createHash("sha256").update(name).digest("hex").slice(0, 6)}`.replace(/^-/, "");
}

export const list = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
