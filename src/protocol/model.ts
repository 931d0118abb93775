import { z } from "zod";
import { modelHandle } from "./common.ts";
import { count, digest, finite, named } from "./schema.ts";

export const dtypeChoices = ["auto", "float32", "bfloat16", "float16"] as const;
export const dtypeChoice = named("DtypeChoice", z.enum(dtypeChoices));
export const attentionChoices = ["auto", "eager", "sdpa", "flash_attention_2"] as const;
export const attentionChoice = named("AttentionChoice", z.enum(attentionChoices));

export const modelLoadParams = named(
  "ModelLoadParams",
  z.strictObject({
    source: z.string().min(1).describe("A bundled name, a folder, a .gguf file or a hub id."),
    revision: z.string().min(1).nullable().describe("Branch, tag or commit of a hub id."),
    dtype: dtypeChoice,
    device: z.string().regex(/^(auto|cpu|mps|cuda(:[0-9]+)?)$(?!\n)/, {
      error: ({ input }) => `Device ${JSON.stringify(input)} is none of auto, cpu, mps, cuda and cuda:N.`,
    }),
    attention: attentionChoice,
    trustRemoteCode: z.boolean(),
    cacheFolder: z.string().min(1),
  }),
);

export const modelInfo = named(
  "ModelInfo",
  z.object({
    model: modelHandle,
    source: z.string(),
    revision: z.string().nullable(),
    modelType: z.string().describe("The configuration's model_type."),
    weightsDigest: digest(),
    depth: count(1).describe("Number of blocks."),
    hiddenSize: count(1),
    vocabularySize: count(1),
    contextLength: count(1).nullable().describe("Longest sequence the model was made for, in tokens."),
    parameters: count(1),
    parallel: z.boolean().describe("Whether attention and feed-forward read the same input."),
    dtype: z.string(),
    device: z.string(),
    attention: z.string(),
    loadSeconds: finite(),
  }),
);
export type ModelInfo = z.infer<typeof modelInfo>;

export const modelTokenizerParams = named("ModelTokenizerParams", z.strictObject({ model: modelHandle }));

export const tokenizerInfo = named(
  "TokenizerInfo",
  z.object({ digest: digest().describe("sha256 over all that turns text into ids.") }),
);

export const modelUnloadParams = named("ModelUnloadParams", z.strictObject({ model: modelHandle }));
