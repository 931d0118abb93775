import { z } from "zod";
import { corpusHandle, modelHandle, repairHandle, unitName } from "./common.ts";
import { repairReport } from "./repair.ts";
import {
  count,
  extending,
  finite,
  list,
  MOST_AT_A_TIME,
  named,
  notNegative,
  positive,
  upTo,
} from "./schema.ts";
import { tensorRef } from "./tensor.ts";

const gateLora = named(
  "GateLora",
  z.strictObject({
    rank: upTo(MOST_AT_A_TIME).default(8).describe("Rank of each change."),
    alpha: positive(1e6).nullable().default(null).describe("null: twice the rank."),
    targets: list(z.string().min(1), 1)
      .default(["feed-forward"])
      .describe("attention, feed-forward, or names of linear modules in a block."),
    rate: positive(100).default(2e-4).describe("Learning rate of the first step; a cosine to 0 follows."),
    orthogonality: notNegative(1e6)
      .default(0)
      .describe(
        "Weight, beside the loss, of how far the directions that a change reads are from right angles and " +
          "one length (docs/search.md); 0: they are left alone.",
      ),
  }),
);

export const learnGatesOptions = named(
  "LearnGatesOptions",
  z.strictObject({
    steps: count(1).default(100).describe("Steps, each on one batch under one draw of the gates."),
    batchSize: upTo(MOST_AT_A_TIME).default(4).describe("Sequences per step."),
    rate: positive(100)
      .default(0.3)
      .describe("How far the logits of the first step go, in the mean; a cosine to 0 follows."),
    noise: notNegative(100)
      .default(1)
      .describe("What the Gumbel noise of the first step is multiplied by; it falls to 0 in a line."),
    temperature: positive(100).default(2).describe("Of the soft mask that the hard one has its slope from."),
    seed: count().default(0).describe("For the noise, the order of the sequences and LoRA's start."),
    lora: gateLora
      .nullable()
      .default(null)
      .describe("Low-rank changes of what stays, learned along and kept as a repair; null: none."),
  }),
);

const gateGroup = named(
  "GateGroup",
  z
    .strictObject({
      units: list(unitName, 1).describe("Each in one group, and no sublayer with its whole block."),
      costs: list(positive(), 1).describe("What each of them costs; 1 each where units are counted."),
      amount: positive().describe(
        "At least so much of their cost goes at every step, and no unit without need.",
      ),
    })
    .describe("Units that are chosen among."),
);

export const gatesLearnParams = extending("GatesLearnParams", learnGatesOptions, {
  model: modelHandle,
  corpus: corpusHandle,
  groups: list(gateGroup, 1),
});

export const gatesLearnResult = named(
  "GatesLearnResult",
  z.object({
    logits: tensorRef.describe(
      "float64 (units): group after group. The lowest of each go, of equal ones the first.",
    ),
    removed: list(unitName).describe("Those that go, in order of depth."),
    losses: tensorRef.describe("float64 (steps): of each step's batch under its draw, in nats."),
    loss: finite().describe("Mean next-token loss of the corpus without those that go, in nats."),
    repairs: list(repairHandle).describe("What LoRA learned; none where it did not learn along."),
    report: repairReport.nullable().describe("Of it; null where it did not learn along."),
    seconds: finite().describe("Seconds it took."),
  }),
);
