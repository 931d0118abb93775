import { z } from "zod";
import { dataHandle, modelHandle, repairHandle, unitName } from "./common.ts";
import { count, finite, named } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

/**
 * `loss` on a corpus or a last-word task, `kl` and `logit-distance` on a corpus, `accuracy` on a task, `choice-loss` on a
 * multiple-choice task.
 */
export const measures = ["loss", "kl", "logit-distance", "accuracy", "choice-loss"] as const;
export const measure = named("Measure", z.enum(measures));
export type Measure = (typeof measures)[number];

export const scoredPositions = named(
  "ScoredPositions",
  z.strictObject({
    every: count(1).describe("The k-th, 2k-th, ... position of each sequence; 1: all."),
    last: count(1).nullable().describe("Only the last k positions; null: all."),
  }),
);

export const subnetworksEvaluateParams = named(
  "SubnetworksEvaluateParams",
  z.strictObject({
    model: modelHandle,
    data: dataHandle.describe("A corpus, or a task."),
    units: z.array(unitName).min(1).describe("The columns of kept."),
    kept: tensorRef.describe(
      "uint8 (subnetworks, ceil(units / 8)): bit u % 8 of byte u // 8, lowest first, is set where unit u stays.",
    ),
    repairs: z.array(repairHandle).describe("In the order they were made."),
    repaired: tensorRef
      .nullable()
      .describe(
        "uint8 (subnetworks, ceil(repairs / 8)), as kept: set where a repair is in place; null: wherever its units are removed.",
      ),
    measures: z.array(measure).min(1),
    positions: scoredPositions,
    batchSize: count(1).nullable().describe("Sequences a batch; null: as many as pay and fit."),
    memoryBudget: count(1).nullable().describe("Bytes beside the model; null: chosen for the device."),
  }),
);

export const subnetworksEvaluatePart = named(
  "SubnetworksEvaluatePart",
  z.object({
    rows: tensorRef.describe("uint32 (k): the subnetworks that are finished."),
    values: tensorRef.describe("float64 (k, measures)."),
  }),
);

export const subnetworksEvaluateResult = named(
  "SubnetworksEvaluateResult",
  z.object({
    values: tensorRef.describe("float64 (subnetworks, measures); NaN or infinite where a row is notFinite."),
    measures: z.array(measure),
    counts: z.array(count()).describe("Positions or items each measure is a mean over."),
    distinct: count(1).describe("Subnetworks computed; the others equal one of them."),
    notFinite: z.array(count()),
    blockEvaluations: finite().describe("Blocks run on a batch, a sublayer counting as its share."),
    batchSize: count(1),
    notes: z.array(z.string()).describe("What did not go as planned, such as batches halved for memory."),
    seconds: finite(),
  }),
);
