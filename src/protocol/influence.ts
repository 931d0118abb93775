import { z } from "zod";
import { corpusHandle, modelHandle, unitKind, unitKinds } from "./common.ts";
import { count, extending, finite, list, named } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

export const influenceMetrics = ["cosine", "l1", "l2", "relative-l1", "relative-l2"] as const;
export const influenceMetric = named("InfluenceMetric", z.enum(influenceMetrics));
export type InfluenceMetric = (typeof influenceMetrics)[number];

const angularTokens = named("AngularTokens", z.enum(["last", "all"]));

export const influenceOptions = named(
  "InfluenceOptions",
  z.strictObject({
    batchSize: count(1).default(4).describe("Sequences at a time; the values do not depend on it."),
    angularTokens: angularTokens
      .default("last")
      .describe("Tokens of a sequence the angular distance is averaged over."),
    skipFirstTokens: count()
      .default(0)
      .describe("Tokens at each sequence's start to leave out: their activations dwarf the rest."),
  }),
);

export const gradientMetrics = ["taylor", "gate"] as const;
const gradientMetric = named("GradientMetric", z.enum(gradientMetrics));
export type GradientMetric = (typeof gradientMetrics)[number];

export const influenceGradientOptions = named(
  "InfluenceGradientOptions",
  z.strictObject({
    batchSize: count(1).default(4).describe("Sequences at a time; the values do not depend on it."),
  }),
);

export const influenceGradientParams = extending("InfluenceGradientParams", influenceGradientOptions, {
  model: modelHandle,
  corpus: corpusHandle,
});

export const influenceGradientResult = named(
  "InfluenceGradientResult",
  z.object({
    kinds: list(unitKind).describe("The first axis of values."),
    metrics: list(gradientMetric).describe("The second axis of values."),
    values: tensorRef.describe("float64 (kinds, metrics, depth), of the mean next-token loss."),
    standardErrors: tensorRef.describe(
      "float64, as values: of gate over sequences; NaN for taylor, and with one sequence.",
    ),
    weights: tensorRef.describe("float64 (kinds, depth): numbers that taylor sums over."),
    loss: finite().describe("Mean next-token loss, in nats."),
    sequences: count(1),
    tokens: count(1).describe("Tokens predicted."),
    seconds: finite(),
  }),
);

/** Looked at as `units`, both kinds of sublayer are ranked together. */
const rankedUnits = [...unitKinds, "sublayers"] as const;
export type RankedUnits = (typeof rankedUnits)[number];

/** What `influence` takes: the metric says which way it is measured. */
export const influenceChoice = z.strictObject({
  units: z
    .enum(rankedUnits)
    .default("block")
    .describe("The kind of unit to rank; sublayers, for taylor and gate: both kinds together."),
  metric: z
    .enum([...influenceMetrics, ...gradientMetrics])
    .default("cosine")
    .describe("The metric to rank by; taylor and gate take gradients of the loss."),
});

/** How a measurement by gradients is looked at. */
export const gradientView = z.strictObject({
  units: z.enum(rankedUnits).default("block").describe("The kind of unit to rank, or both of sublayers."),
  metric: z.enum(gradientMetrics).describe("The metric to rank by."),
});

/** How a measurement is looked at; nothing is measured again for another view. */
export const influenceView = z.strictObject({
  units: unitKind.default("block").describe("The kind of unit to rank."),
  metric: influenceMetric.default("cosine").describe("The metric to rank by."),
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
