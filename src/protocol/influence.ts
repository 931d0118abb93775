import { z } from "zod";
import { corpusHandle, modelHandle, unitKind } from "./common.ts";
import { count, finite, named } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

export const influenceMetrics = ["cosine", "l1", "l2", "relative-l1", "relative-l2"] as const;
export const influenceMetric = named("InfluenceMetric", z.enum(influenceMetrics));
export type InfluenceMetric = (typeof influenceMetrics)[number];

export const angularTokens = named("AngularTokens", z.enum(["last", "all"]));

export const influenceMeasureParams = named(
  "InfluenceMeasureParams",
  z.strictObject({
    model: modelHandle,
    corpus: corpusHandle,
    batchSize: count(1),
    angularTokens: angularTokens.describe(
      "Which tokens of a sequence the angular distance is averaged over.",
    ),
    skipFirstTokens: count().describe("Tokens at the start of each sequence that are not counted."),
  }),
);

export const influenceMeasureResult = named(
  "InfluenceMeasureResult",
  z.object({
    kinds: z.array(unitKind).describe("The first axis of values."),
    metrics: z.array(influenceMetric).describe("The second axis of values."),
    values: tensorRef.describe("float64 (kinds, metrics, depth): mean over the tokens counted."),
    standardErrors: tensorRef.describe(
      "float64, as values: of the mean over sequences; NaN with one sequence.",
    ),
    angular: tensorRef.describe(
      "float64 (depth, depth): [n - 1, l] for the span of n blocks from l; 0 beyond.",
    ),
    angularTokens,
    skipFirstTokens: count(),
    sequences: count(1),
    tokens: count(1).describe("Tokens counted."),
    seconds: finite(),
  }),
);
