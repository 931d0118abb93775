import { z } from "zod";
import { dataHandle, modelHandle, repairHandle, unitName } from "./common.ts";
import { screening } from "./model.ts";
import { measures, precisions } from "./names.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

/** What can be measured on which data; the first is measured where nothing is named. */
export const measuresOf = {
  corpus: ["loss", "kl", "logit-distance"],
  choices: ["accuracy", "choice-loss"],
  "last-word": ["accuracy", "loss"],
} as const;
/** What is measured of subnetworks; docs/engine.md says what each is. */
export const measure = named("Measure", z.enum(measures));
/** What is measured of subnetworks; docs/engine.md says what each is. */
export type Measure = (typeof measures)[number];

const scoredPositions = named(
  "ScoredPositions",
  z.strictObject({
    every: count(1).default(1).describe("The k-th, 2k-th, ... position of each sequence; 1: all."),
    last: count(1).nullable().default(null).describe("Only the last k positions; null: all."),
  }),
);

const precision = named("Precision", z.enum(precisions));
/** How exactly subnetworks are measured: docs/engine.md. */
export type Precision = (typeof precisions)[number];

/** Options of the engine that measures many subnetworks. */
export const engineOptions = named(
  "EngineOptions",
  z.strictObject({
    scoredPositions: scoredPositions
      .default({ every: 1, last: null })
      .describe("Positions of each sequence of a corpus that are scored."),
    batchSize: upTo(MOST_AT_A_TIME)
      .nullable()
      .default(null)
      .describe(
        "Sequences, or items of a task, per batch; items behind the same examples are one; null: as many " +
          "as pay and fit.",
      ),
    memoryBudget: count(1)
      .nullable()
      .default(null)
      .describe("Bytes the evaluation may take beside the model; null: chosen for the device."),
    precision: precision
      .default("exact")
      .describe(
        "exact: in the dtype the model is loaded in. screen: products of a float32 model in bfloat16, for " +
          "looking at many sets; docs/engine.md says how far off that is.",
      ),
  }),
);

export const subnetworksEvaluateParams = extending("SubnetworksEvaluateParams", engineOptions, {
  model: modelHandle,
  data: dataHandle.describe("A corpus, or a task."),
  players: list(list(unitName, 1), 1).describe("The columns of kept: units that stay or go together."),
  kept: tensorRef.describe(
    "uint8 (subnetworks, ceil(players / 8)): bit p % 8 of byte p // 8, lowest first, is set where player " +
      "p stays.",
  ),
  repairs: list(repairHandle).describe("In the order they were made."),
  repaired: tensorRef
    .nullable()
    .describe(
      "uint8 (subnetworks, ceil(repairs / 8)), as kept: set where a repair is in place; null: wherever " +
        "its units are removed.",
    ),
  measures: list(measure, 1),
  bySequence: z
    .boolean()
    .describe("Also give what every sequence of a corpus, or item of a task, has alone."),
  screening: screening
    .nullable()
    .describe("What the caller takes `screen` to multiply in: a worker on another device may differ."),
});

export const subnetworksSplitParams = extending("SubnetworksSplitParams", engineOptions, {
  model: modelHandle,
  data: dataHandle.describe("A corpus, or a task."),
  players: list(list(unitName, 1), 1).describe("The columns of kept, as in subnetworks.evaluate."),
  kept: tensorRef.describe("As in subnetworks.evaluate."),
  measures: list(measure, 1),
});

export const subnetworksEvaluatePart = named(
  "SubnetworksEvaluatePart",
  z.object({
    rows: tensorRef.describe("uint32 (k): the subnetworks that are finished."),
    values: tensorRef.describe("float64 (k, measures)."),
    counts: list(count()).describe("Positions or items each measure is a mean over."),
    bySequence: tensorRef
      .nullable()
      .describe(
        "float64 (sequences or items, measures), of each of these rows alike; NaN where nothing of a " +
          "sequence is scored; null where it was not asked for.",
      ),
  }),
);

/** How work was cut for the actors of a cluster, and what was expected of that. */
const workSplit = named(
  "WorkSplit",
  z.object({
    actors: count(1).describe("Those that held the model, or were about to."),
    pieces: count(1).describe("Some of the subnetworks on some of the sequences each."),
    sharingLost: finite().describe("Blocks run more than on one device, by those run there: 0.1 is a tenth."),
    seconds: finite().describe("Expected, by the pace that was measured, until the last actor is done."),
    aloneSeconds: finite().describe("Expected of one device of that pace."),
  }),
);
/** How work was cut for the actors of a cluster, and what was expected of that. */
export type WorkSplit = z.output<typeof workSplit>;

export const subnetworksEvaluateResult = named(
  "SubnetworksEvaluateResult",
  z.object({
    values: tensorRef.describe("float64 (subnetworks, measures); NaN or infinite where a row is notFinite."),
    measures: list(measure),
    counts: list(count()).describe("Positions or items each measure is a mean over."),
    distinct: count(1).describe("Subnetworks computed; the others equal one of them."),
    notFinite: list(count()),
    blockEvaluations: finite().describe("Blocks run on a batch, a sublayer counting as its share."),
    batchSize: count(1),
    split: workSplit.nullable().describe("On a cluster; null: on the worker's own device."),
    notes: list(z.string()).describe("What did not go as planned, such as batches halved for memory."),
    seconds: finite(),
  }),
);

export const subnetworksSplitResult = named(
  "SubnetworksSplitResult",
  z.object({ split: workSplit.nullable().describe("Null without a cluster.") }),
);
