import { z } from "zod";
import { corpusHandle, modelHandle, subject, unitKind, unitName } from "./common.ts";
import { gradientMetrics, influenceDefaults, influenceMetrics, rankedUnits } from "./names.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

const influenceMetric = named("InfluenceMetric", z.enum(influenceMetrics));
/** A metric of influence by movement of the residual stream. */
export type InfluenceMetric = (typeof influenceMetrics)[number];

const angularTokens = named("AngularTokens", z.enum(["last", "all"]));

/** Options of influence by movement of the residual stream. */
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
    cosines: z
      .boolean()
      .default(false)
      .describe(
        "Also the mean cosine between the stream at every two boundaries of blocks, over all tokens " +
          "counted: a batch's stream is then held at every boundary.",
      ),
  }),
);

const gradientMetric = named("GradientMetric", z.enum(gradientMetrics));
/** A metric of influence by gradients. */
export type GradientMetric = (typeof gradientMetrics)[number];

/** Options of influence by gradients. */
export const influenceGradientOptions = named(
  "InfluenceGradientOptions",
  z.strictObject({
    batchSize: upTo(MOST_AT_A_TIME)
      .default(4)
      .describe("Sequences at a time; the values do not depend on it."),
  }),
);

/** A pruned model is measured as it runs: what is removed moves nothing. */
export const influenceGradientParams = extending("InfluenceGradientParams", influenceGradientOptions, {
  model: modelHandle,
  removed: list(unitName),
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
    sequences: count(1).describe("Sequences with a token to predict."),
    tokens: count(1).describe("Tokens predicted."),
    seconds: finite().describe("Seconds it took."),
  }),
);

/** Which units are ranked: one kind, or several together. */
export type RankedUnits = (typeof rankedUnits)[number];

/** What `influence` takes: the metric says which way it is measured. */
export const influenceChoice = z.strictObject({
  units: z
    .enum(rankedUnits)
    .default(influenceDefaults.units)
    .describe("The kind of unit to rank; sublayers, for taylor and gate: both kinds together."),
  metric: z
    .enum([...influenceMetrics, ...gradientMetrics])
    .default(influenceDefaults.metric)
    .describe("The metric to rank by; taylor and gate take gradients of the loss."),
});

/** How a measurement is looked at; nothing is measured again for another view. */
export const influenceView = z.strictObject({
  units: unitKind.default(influenceDefaults.units).describe("The kind of unit to rank."),
  metric: influenceMetric.default(influenceDefaults.metric).describe("The metric to rank by."),
});

export const streamOptions = named(
  "StreamOptions",
  z.strictObject({
    batchSize: upTo(MOST_AT_A_TIME)
      .default(4)
      .describe("Sequences at a time; the values do not depend on it."),
    skipFirstTokens: count()
      .default(0)
      .describe("Tokens at each sequence's start to leave out: their activations dwarf the rest."),
  }),
);

export const influenceStreamParams = extending("InfluenceStreamParams", streamOptions, {
  ...subject,
  corpus: corpusHandle,
});

const streamMeasure = named("StreamMeasure", z.enum(["variance", "coding-rate"]));

export const influenceStreamResult = named(
  "InfluenceStreamResult",
  z.object({
    measures: list(streamMeasure).describe("The first axis of values."),
    values: tensorRef.describe(
      "float64 (measures, depth + 1): in front of each block, and behind the last one; means over sequences.",
    ),
    standardErrors: tensorRef.describe("float64, as values: over sequences; NaN with one sequence."),
    codingRateBound: finite().describe("The largest coding rate there can be, mean over sequences, in nats."),
    sequences: count(1).describe("Sequences with a token that counts."),
    tokens: count(1).describe("Tokens counted."),
    seconds: finite().describe("Seconds it took."),
  }),
);

/** The same as gradients', with repairs in place. */
export const influenceMeasureParams = extending("InfluenceMeasureParams", influenceOptions, {
  ...subject,
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
    cosines: tensorRef
      .nullable()
      .describe("float64 (depth + 1, depth + 1): between two boundaries; null where not asked for."),
    angularTokens,
    skipFirstTokens: count(),
    sequences: count(1),
    tokens: count(1).describe("Tokens counted."),
    seconds: finite(),
  }),
);
