import { z } from "zod";
import { unitName } from "../protocol/common.ts";
import { corpusInfo } from "../protocol/corpus.ts";
import { perplexityResult } from "../protocol/evaluation.ts";
import { generationGenerateResult } from "../protocol/generation.ts";
import { modelInfo } from "../protocol/model.ts";
import { influenceMetrics, unitKinds } from "../protocol/names.ts";
import { planSchema } from "./plan.ts";

const table = <T extends z.ZodType>(value: T) =>
  z.record(z.enum(unitKinds), z.record(z.enum(influenceMetrics), z.array(value)));

export const influenceDataSchema = z.object({
  depth: z.int().describe("Blocks of the model."),
  values: table(z.number()),
  standardErrors: table(z.number().nullable()),
  angular: z.array(z.array(z.number())),
  angularTokens: z.enum(["last", "all"]),
  skipFirstTokens: z.int(),
  sequences: z.int(),
  tokens: z.int(),
  seconds: z.number(),
});

export const removalSchema = z.object({
  removed: z.array(unitName).describe("The units that were removed."),
  perplexity: perplexityResult.omit({ perItem: true }).describe("On the evaluation text."),
  generation: generationGenerateResult.nullable().describe("Null where the plan has no prompts."),
});
export type Removal = z.infer<typeof removalSchema>;

/** What a run leaves: what was asked, of what, with what, and what came out. */
export const recordSchema = z.object({
  recordVersion: z
    .literal(2)
    .describe("1 had no notes and pattern of the model, and no first tokens of texts."),
  depthkitVersion: z.string().describe("The version that ran it."),
  pythonVersion: z.string().describe("Of the worker."),
  startedAt: z.iso.datetime().describe("When it began, ISO 8601."),
  finishedAt: z.iso.datetime().describe("When it ended, ISO 8601."),
  plan: planSchema.describe("What was asked, defaults filled in."),
  model: modelInfo.describe("The model it was asked of."),
  corpus: corpusInfo.describe("The calibration text, as the model read it."),
  influence: influenceDataSchema.describe("What was measured."),
  removals: z.array(removalSchema).describe("The whole model first, then one entry a count, as asked."),
});
export type RunRecord = z.infer<typeof recordSchema>;
