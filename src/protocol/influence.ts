import { z } from "zod";
import { corpusHandle, modelHandle, unitKind } from "./common.ts";
import { influenceDefaults, influenceMetrics } from "./names.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

export const influenceMetric = named("InfluenceMetric", z.enum(influenceMetrics));
export type InfluenceMetric = (typeof influenceMetrics)[number];

const angularTokens = named("AngularTokens", z.enum(["last", "all"]));

export const influenceOptions = named(
  "InfluenceOptions",
  z.strictObject({
    batchSize: upTo(MOST_AT_A_TIME)
      .default(4)
      .describe("Sequences at a time; the values do not depend on it."),
    angularTokens: angularTokens
      .default("last")
      .describe("Tokens of a sequence the angular distance is averaged over."),
    skipFirstTokens: count()
      .default(0)
      .describe("Tokens at each sequence's start to leave out: their activations dwarf the rest."),
  }),
);

/** How a measurement is looked at; nothing is measured again for another view. */
export const influenceView = z.strictObject({
  units: unitKind.default(influenceDefaults.units).describe("The kind of unit to rank."),
  metric: influenceMetric.default(influenceDefaults.metric).describe("The metric to rank by."),
});

export const influenceMeasureParams = extending("InfluenceMeasureParams", influenceOptions, {
  model: modelHandle,
  corpus: corpusHandle,
});

export const influenceMeasureResult = named(
  "InfluenceMeasureResult",
  z.object({
    kinds: list(unitKind).describe("The first axis of values."),
    metrics: list(influenceMetric).describe("The second axis of values."),
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
