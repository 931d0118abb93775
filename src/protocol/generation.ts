import { z } from "zod";
import { subject } from "./common.ts";
import { count, finite, named } from "./schema.ts";

export const generationGenerateParams = named(
  "GenerationGenerateParams",
  z.strictObject({
    ...subject,
    prompts: z.array(z.string()).min(1),
    chat: z.boolean().describe("Wrap each prompt as a user's turn in the model's chat template."),
    maxNewTokens: count(1),
    temperature: finite().describe("0: greedy."),
    topP: finite(),
    seed: count(),
    stop: z.array(z.string().min(1)),
    cache: z.boolean().describe("Keep a KV cache; without it every token costs a whole forward pass."),
    batchSize: count(1).describe("Prompts at a time; above 1 for greedy text with a cache."),
  }),
);

export const finishReason = named("FinishReason", z.enum(["length", "end-of-text", "stop"]));

export const generation = named(
  "Generation",
  z.object({
    prompt: z.string(),
    text: z.string().describe("What was written after the prompt."),
    promptTokens: count(),
    tokenIds: z.array(count()).describe("The ids written."),
    finish: finishReason,
  }),
);
export type Generation = z.infer<typeof generation>;

export const generationGenerateResult = named(
  "GenerationGenerateResult",
  z.object({ generations: z.array(generation), kvBytesPerToken: count(), seconds: finite() }),
);
