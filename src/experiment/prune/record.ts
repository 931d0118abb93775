import { z } from "zod";
import { errorCodes } from "../../errors.ts";
import { unitName } from "../../protocol/common.ts";
import { corpusInfo } from "../../protocol/corpus.ts";
import { choicesResult, lastWordResult, perplexityResult } from "../../protocol/evaluation.ts";
import { exportHuggingfaceResult } from "../../protocol/export.ts";
import { exportGgufResult } from "../../protocol/export-gguf.ts";
import { exportOnnxResult } from "../../protocol/export-onnx.ts";
import { modelInfo } from "../../protocol/model.ts";
import { repairReport } from "../../protocol/repair.ts";
import { contenderNames } from "./names.ts";

const contenderName = z.enum(contenderNames);

/** A set of units that was chosen, and what choosing it took. */
export const choiceSchema = z.object({
  removed: z.array(unitName).describe("The units that go, by depth."),
  strategy: z.string().describe("How it was chosen."),
  evaluations: z.number().describe("Sets that were looked at; one on less text counts as its share."),
  blockEvaluations: z.number().describe("Block evaluations that the worker ran for it."),
  untried: z.array(unitName).describe("Candidates that were in no set that was looked at."),
  notes: z.array(z.string()).describe("What the search has to add."),
  seconds: z.number().describe("What choosing took."),
});
export type Choice = z.infer<typeof choiceSchema>;

const difference = z.object({
  nats: z.number().describe("Mean over sequences of this loss less the shipped model's: above 0 is worse."),
  standardError: z.number().describe("Of that mean, over the same sequences."),
});

/** Losses on the held-out part, a number per sequence. */
export const verdictSchema = z.object({
  removed: z.array(z.number()).describe("With nothing in the place of the units, nats per token."),
  repaired: z.array(z.number()).nullable().describe("With the repair; null where none was asked for."),
});
export type Verdict = z.infer<typeof verdictSchema>;

export const contenderSchema = choiceSchema.extend({
  name: contenderName.describe("Which of them it is."),
  repair: z.string().nullable().describe("The method that was put in place; null where none was asked for."),
  removedLoss: z
    .number()
    .describe("On the held-out part, nothing in the place of the units, nats per token."),
  repairedLoss: z.number().nullable().describe("The same with the repair; null where none was asked for."),
  againstShipped: difference.nullable().describe("Null until a model is shipped, and of its own set."),
});
/** A set that was compared, with its scores on text that no set has seen. */
export type PruneContender = z.infer<typeof contenderSchema>;

export const prunePlanSchema = z.object({
  removals: z.int().describe("Units that go, by the first baseline; a search may need more or fewer."),
  players: z.int().describe("Units that play."),
  candidates: z.array(unitName).describe("Units that a search looks at."),
  start: z.array(z.array(unitName)).describe("Sets of baselines, for a strategy to start from."),
  secondsPerBlock: z.number().describe("A block on the text that decides, measured on this device."),
  steps: z
    .array(
      z.object({
        name: contenderName.describe("Whose search it is."),
        strategy: z.string().describe("How it looks at sets."),
        evaluations: z.number().describe("Sets; one on less text counts as its share."),
        limit: z.number().nullable().describe("At most so many; null: as many as the strategy asks for."),
        seconds: z
          .number()
          .describe(
            "By the pace measured, half of each set shared with others but for a surrogate's: with the " +
              "finalists of sets that are screened, and the repairs that stand in while a search scores.",
          ),
      }),
    )
    .describe("The searches, in their order."),
  besides: z
    .object({
      judging: z.number().describe("Repairing what every contender chose, and its held-out losses, seconds."),
      evaluating: z.number().describe("Measuring on the texts of `evaluate`, seconds."),
    })
    .describe("What else takes long, by the same pace."),
  notes: z.array(z.string()).describe("What is left out, and why."),
});
/** What a pruning will do, told before it begins. */
export type PrunePlan = z.infer<typeof prunePlanSchema>;

// Comparisons and single items are not asked for, so they have no place here.
const scores = z.union([
  perplexityResult.omit({ perItem: true, skips: true }),
  choicesResult.omit({ comparison: true, perItem: true, skips: true }),
  lastWordResult.omit({ perItem: true, skips: true }),
]);

export const proofSchema = z.object({
  name: z.string().describe("As it was asked for."),
  whole: scores.describe("Of the whole model."),
  shipped: scores.describe("Of the shipped model."),
  beside: z
    .array(z.object({ contender: contenderName, scores }))
    .describe("Of the best baseline, or of every contender, repaired."),
});
export type Proof = z.infer<typeof proofSchema>;

/** What `prune` leaves beside the smaller model. */
export const pruneRecordSchema = z.object({
  recordVersion: z.literal(1).describe("Of this form of the record."),
  depthkitVersion: z.string().describe("The version that ran it."),
  pythonVersion: z.string().describe("Of the worker."),
  startedAt: z.iso.datetime().describe("When this run of it began, ISO 8601."),
  finishedAt: z.iso.datetime().describe("When it ended, ISO 8601."),
  asked: z.record(z.string(), z.unknown()).describe("The options, without where things go."),
  model: modelInfo.describe("The model that was pruned."),
  parts: z
    .object({ fit: corpusInfo, choose: z.array(corpusInfo), heldOut: corpusInfo })
    .describe("What repairs were fitted to, what sets were chosen on, and the held-out text."),
  plan: prunePlanSchema.describe("What was planned, before the long work."),
  wholeLoss: z.number().describe("Of the whole model on the held-out part, nats per token."),
  contenders: z.array(contenderSchema).describe("In the order in which they were made."),
  leftOut: z
    .array(z.object({ name: contenderName, code: z.enum(errorCodes), why: z.string() }))
    .describe("Contenders that could not be made or saved, each with its error."),
  shipped: z
    .object({
      contender: contenderName.describe("Whose set was shipped: the least loss on the held-out part."),
      loss: z.number().describe("Of the shipped model on the held-out part, nats per token."),
      healed: z.boolean().describe("Whether the healing is in it."),
      repairs: z.array(repairReport).describe("Of what was put in place, in the order it was made."),
    })
    .describe("What was shipped."),
  healing: z
    .object({ loss: z.number().describe("On the held-out part."), against: difference })
    .nullable()
    .describe("What healing gave, against the model before it; null where none was asked for."),
  proof: z.array(proofSchema).describe("On the other texts and tasks that were asked for."),
  export: z.union([exportHuggingfaceResult, exportGgufResult, exportOnnxResult]).describe("What was saved."),
  notes: z.array(z.string()).describe("What the plan and the searches have to add."),
});
/** All that a pruning leaves: what was asked, the sets compared, and what was saved. */
export type PruneRecord = z.infer<typeof pruneRecordSchema>;
