import { z } from "zod";
import { firstTokens, subject } from "./common.ts";
import { followed, ownSkips } from "./policies.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, notNegative, upTo } from "./schema.ts";

/** How the next token is chosen; the same for a text whatever others are written beside it. */
export const sampling = {
  temperature: notNegative().default(0).describe("0 is greedy: the likeliest token each time."),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("Sample from the likeliest tokens that hold this much probability; 1: from all."),
  seed: count().default(0).describe("For sampling."),
};

/** Options of `generate`. */
export const generateOptions = named(
  "GenerateOptions",
  z.strictObject({
    chat: z
      .boolean()
      .default(false)
      .describe("Wrap each prompt as a user's turn in the model's chat template."),
    maxNewTokens: count(1).default(64).describe("Tokens to write at most."),
    ...sampling,
    stop: list(z.string().min(1)).default([]).describe("Stop once one of these strings was written."),
    cache: z
      .boolean()
      .default(true)
      .describe("Keep a KV cache; without it every token costs a whole forward pass."),
    batchSize: upTo(MOST_AT_A_TIME).default(1).describe("Prompts at a time; above 1 with a cache."),
  }),
);

export const generationGenerateParams = extending("GenerationGenerateParams", generateOptions, {
  ...subject,
  policy: followed,
  prompts: list(z.string(), 1),
  stream: z.boolean().default(false).describe("Tell of text as it is written."),
});

/** The next piece of a text. */
export const generationPart = named(
  "GenerationPart",
  z.strictObject({
    prompt: count().describe("Which prompt it stands behind, from 0."),
    at: count().describe("Characters (code points) of the text that came before it."),
    text: z.string().describe("What was written next."),
  }),
);

export const finishReason = named("FinishReason", z.enum(["length", "end-of-text", "stop"]));

const generation = named(
  "Generation",
  z.object({
    prompt: z.string().describe("What was continued."),
    text: z.string().describe("What was written after the prompt."),
    promptTokens: count().describe("Tokens of the prompt."),
    firstTokens,
    bosInText: z
      .boolean()
      .describe("Whether the prompt itself begins with a BOS token; no second one is put in front of it."),
    tokenIds: list(count()).describe("The ids written."),
    finish: finishReason.describe("Why it ended."),
  }),
);
/** What a model wrote after one prompt, and why it ended. */
export type Generation = z.infer<typeof generation>;

export const generationGenerateResult = named(
  "GenerationGenerateResult",
  z.object({
    generations: list(generation).describe("One for each prompt, in their order."),
    kvBytesPerToken: count().describe("Bytes of KV cache that one token takes in this subnetwork."),
    skips: ownSkips,
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What a model wrote, prompt by prompt. */
export type GenerateResult = z.infer<typeof generationGenerateResult>;
