import { item } from "../../arrays.ts";
import { sublayersOf } from "../../evaluation/sublayers.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import type { GradientMetric } from "../../protocol/influence.ts";
import { gradientMetrics } from "../../protocol/names.ts";
import { parseUnit } from "../../protocol/units.ts";
import { meanOf } from "../../selection/choice-certainty.ts";
import type { GradientInfluenceData } from "../gradient-influence.ts";
import type { InfluenceData } from "../influence.ts";
import type { RepairOptions } from "../repair.ts";
import type { FitInfluence, MeasureCall } from "./fit-influence.ts";
import type { InfluenceScoreName } from "./names.ts";

/** Scores by influence on `fit`; with `iterative` measured again on what is left after each removal. */
export interface InfluenceScores {
  readonly metric: InfluenceScoreName;
  /** `block`: a sublayer has its block's score (arXiv 2407.16286); default `own`. */
  readonly of?: "own" | "block" | undefined;
  /**
   * For `iterative` by how far units move the stream: each round is measured with this repair of what has
   * gone in place, fitted anew. It is one that is not trained.
   */
  readonly repair?: RepairOptions | undefined;
}

type ScoreOf = (kind: UnitKind, block: number) => number;

/** A score per unit, lowest first to go; those of units that are gone mean nothing. */
export async function influenceScores(
  units: readonly UnitName[],
  influence: FitInfluence,
  { metric, of = "own", repair }: InfluenceScores,
  call: MeasureCall,
): Promise<number[]> {
  const parsed = units.map(parseUnit).map(({ kind, block }) => ({ block, kind: of === "block" ? of : kind }));
  const scoreOf = isGradientMetric(metric)
    ? byGradients((await influence.byGradients(call)).data, metric, new Set(parsed.map(({ kind }) => kind)))
    : byMovement((await influence.static({ ...call, repair })).data, metric, call.removed ?? []);
  return parsed.map(({ kind, block }) => scoreOf(kind, block));
}

export const isGradientMetric = (metric: InfluenceScoreName): metric is GradientMetric =>
  gradientMetrics.some((name) => name === metric);

/** A sum over weights grows with their number: where kinds are ranked together it is divided by it. */
function byGradients(
  { values, weights }: GradientInfluenceData,
  metric: GradientMetric,
  kinds: ReadonlySet<UnitKind>,
): ScoreOf {
  const divided = metric === "taylor" && kinds.size > 1;
  return (kind, block) => {
    const value = item(values[kind][metric], block);
    // What is gone has no weights left, and no score.
    return divided ? value / item(weights[kind], block) : value;
  };
}

function byMovement(
  { values }: InfluenceData,
  metric: Exclude<InfluenceScoreName, GradientMetric>,
  removed: readonly UnitName[],
): ScoreOf {
  if (metric !== "xmerge") return (kind, block) => item(values[kind][metric], block);
  const lost = new Set(removed.map(parseUnit).flatMap(sublayersOf));
  const stays = (kind: UnitKind, block: number) => sublayersOf({ kind, block }).some((one) => !lost.has(one));
  return (kind, block) => {
    const standard = (of: "relative-l2" | "cosine") => {
      const staying = values[kind][of].filter((_, other) => stays(kind, other));
      return standardised(item(values[kind][of], block), staying);
    };
    return Math.max(standard("relative-l2"), standard("cosine"));
  };
}

function standardised(score: number, among: readonly number[]): number {
  const mean = meanOf(among);
  const deviation = Math.sqrt(meanOf(among.map((one) => (one - mean) ** 2)));
  return deviation === 0 ? 0 : (score - mean) / deviation;
}
