import { gradientMetrics, influenceMetrics } from "../../protocol/names.ts";

import { strategies } from "../../selection/strategy-choice.ts";

/** Names that the entry point has without loading what they name. */

/** The names of a unit's costs, which budgets ask for. */
export const costNames = ["parameters", "bytes", "kv-bytes", "seconds"] as const;
/** What a unit costs: parameters, memory or time. */
export type CostName = (typeof costNames)[number];

/**
 * A metric of influence, by movement of the stream or by gradients; or `xmerge`, the larger of the
 * standardised l2 influence, relative to the stream, and the standardised cosine (arXiv 2609.02083).
 */
export const influenceScoreNames = [...influenceMetrics, "xmerge", ...gradientMetrics] as const;
/** A metric of influence that a search may start from. */
export type InfluenceScoreName = (typeof influenceScoreNames)[number];

/** The strategies that a model's search has: those of any game, and one that takes gradients. */
export const modelStrategies = [...strategies, "learned-gates"] as const;
/** A strategy of a model's search, by its name. */
export type ModelStrategyName = (typeof modelStrategies)[number];
