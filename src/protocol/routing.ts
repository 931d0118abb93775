import { z } from "zod";
import { dataHandle, modelHandle } from "./common.ts";
import { count, extending, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

/** What of a prompt is looked at to choose its route. */
export const promptOptions = named(
  "PromptOptions",
  z.strictObject({
    tokens: upTo(MOST_AT_A_TIME)
      .default(32)
      .describe(
        "First tokens of a sequence that choose its route, a BOS token included; the rest is scored.",
      ),
    boundary: count()
      .default(0)
      .describe("They are read in the stream in front of this block; 0: as they are embedded."),
  }),
);

const batchSize = upTo(MOST_AT_A_TIME)
  .default(8)
  .describe("Prompts at a time; beyond rounding the values do not depend on it.");

export const routingReadParams = extending("RoutingReadParams", promptOptions, {
  model: modelHandle,
  data: dataHandle.describe("A corpus, or a task, whose items' prompts are read without their choices."),
  batchSize,
});

export const routingPromptsParams = extending("RoutingPromptsParams", promptOptions, {
  model: modelHandle,
  prompts: list(z.string(), 1),
  chat: z.boolean().describe("Wrap each prompt as a user's turn in the model's chat template."),
  batchSize,
});

export const promptFeatures = named(
  "PromptFeatures",
  z.object({
    features: tensorRef.describe(
      "float64 (prompts, hidden): the mean over a prompt's tokens of the stream, each token's at length 1.",
    ),
  }),
);
