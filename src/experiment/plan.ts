import { z } from "zod";
import { bosPolicies, unitKinds } from "../protocol/common.ts";
import { influenceMetrics } from "../protocol/influence.ts";
import { attentionChoices, dtypeChoices } from "../protocol/model.ts";

const textData = z.union([
  z.string().min(1),
  z.strictObject({
    files: z.array(z.string().min(1)).min(1),
    textField: z.string().optional(),
    strict: z.boolean().optional(),
  }),
  z.strictObject({ texts: z.array(z.string()).min(1) }),
]);

/** What an experiment does, as data: measure influence, remove by it, score and show what is left. */
export const planSchema = z.strictObject({
  model: z.strictObject({
    source: z.string().min(1),
    revision: z.string().optional(),
    dtype: z.enum(dtypeChoices).optional(),
    device: z
      .union([z.enum(["auto", "cpu", "cuda", "mps"]), z.templateLiteral(["cuda:", z.int().min(0)])])
      .optional(),
    attention: z.enum(attentionChoices).optional(),
  }),
  calibration: z.strictObject({
    data: textData,
    sequences: z.int().min(1).optional(),
    length: z.int().min(2).optional(),
    bos: z.enum(bosPolicies).optional(),
  }),
  choose: z
    .strictObject({
      units: z.enum(unitKinds),
      metric: z.enum(influenceMetrics),
      counts: z.array(z.int().min(0)).min(1),
    })
    .describe("Remove the units of least influence, as many as each of the counts says."),
  evaluation: z.strictObject({
    data: textData,
    rows: z.enum(["raw", "wikitext"]).optional(),
    chunk: z.int().min(2).optional(),
    stride: z.int().min(1).optional(),
    maxChunks: z.int().min(1).optional(),
    bos: z.enum(bosPolicies).optional(),
    batchSize: z.int().min(1).optional(),
  }),
  prompts: z.array(z.string()),
  generation: z.strictObject({
    chat: z.boolean().optional(),
    maxNewTokens: z.int().min(1).optional(),
  }),
});
export type Plan = z.infer<typeof planSchema>;
