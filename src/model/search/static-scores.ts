import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import { parseUnit } from "../../protocol/units.ts";
import { meanOf } from "../../selection/choice-certainty.ts";
import type { InfluenceData } from "../influence.ts";
import type { StaticScoreName } from "./names.ts";

/** Scores by influence, measured once on the whole model. */
export interface StaticScores {
  readonly metric: StaticScoreName;
  /** `block`: a sublayer has its block's score (arXiv 2407.16286); default `own`. */
  readonly of?: "own" | "block" | undefined;
}

/** A score a player, each a single unit; of sublayers and blocks together, each kind's own. */
export function staticScores(
  players: readonly (readonly UnitName[])[],
  influence: InfluenceData,
  { metric, of = "own" }: StaticScores,
): number[] {
  const byKind = new Map<UnitKind, readonly number[]>();
  const scoresOf = (kind: UnitKind) => {
    const known = byKind.get(kind) ?? scoresOfKind(influence, kind, metric);
    byKind.set(kind, known);
    return known;
  };
  return players.map((units) => {
    const [unit, ...others] = units;
    if (unit === undefined || others.length > 0) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Searching: influence scores single units, and ${units.join("+")} is a group. Give scores of your own.`,
      );
    }
    const { kind, block } = parseUnit(unit);
    return item(scoresOf(of === "block" ? "block" : kind), block);
  });
}

function scoresOfKind({ values }: InfluenceData, kind: UnitKind, metric: StaticScoreName): readonly number[] {
  if (metric !== "xmerge") return values[kind][metric];
  const magnitude = standardised(values[kind]["relative-l2"]);
  const angle = standardised(values[kind].cosine);
  return magnitude.map((score, block) => Math.max(score, item(angle, block)));
}

function standardised(scores: readonly number[]): number[] {
  const mean = meanOf(scores);
  const deviation = Math.sqrt(meanOf(scores.map((score) => (score - mean) ** 2)));
  return scores.map((score) => (deviation === 0 ? 0 : (score - mean) / deviation));
}
