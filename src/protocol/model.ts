import { z } from "zod";
import { modelHandle, unitName } from "./common.ts";
import { count, digest, extending, finite, list, named } from "./schema.ts";

const dtypeChoices = ["auto", "float32", "bfloat16", "float16"] as const;
export const dtypeChoice = named("DtypeChoice", z.enum(dtypeChoices));
const attentionChoices = ["auto", "eager", "sdpa", "flash_attention_2"] as const;
const attentionChoice = named("AttentionChoice", z.enum(attentionChoices));

const deviceMapForm =
  /^(auto|(cpu|mps|cuda:[0-9]+)(=[0-9]{1,6})?(,(cpu|mps|cuda:[0-9]+)(=[0-9]{1,6})?)*)$(?!\n)/;

export type Device = "auto" | "cpu" | "mps" | "cuda" | `cuda:${number}`;

/** Options of `loadModel`. */
export const modelOptions = named(
  "ModelOptions",
  z.strictObject({
    revision: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("Branch, tag or commit of a hub id; null: its main branch."),
    adapter: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("Folder or hub id of a LoRA adapter for this model, merged into its weights; null: none."),
    dtype: dtypeChoice.default("auto").describe("auto: the dtype the checkpoint is stored in."),
    device: (
      z.string().regex(/^(auto|cpu|mps|cuda(:[0-9]+)?)$(?!\n)/, {
        error: ({ input }) => `Device ${JSON.stringify(input)} is none of auto, cpu, mps, cuda and cuda:N.`,
      }) as unknown as z.ZodType<Device, Device>
    )
      .default("auto")
      .describe("auto: the first CUDA device, else MPS, else the CPU; or cpu, cuda, cuda:N, mps."),
    deviceMap: z
      .string()
      .regex(deviceMapForm, {
        error: ({ input }) =>
          `deviceMap ${JSON.stringify(input)} is neither auto, nor devices such as cuda:0,cuda:1, nor ` +
          "devices each with its number of blocks, such as cuda:0=20,cuda:1=12.",
      })
      .nullable()
      .default(null)
      .describe(
        "Spread the blocks over several devices: auto (all CUDA devices), cuda:0,cuda:1 (by the memory they " +
          "have free) or cuda:0=20,cuda:1=12 (so many blocks each); null: all on one device.",
      ),
    attention: attentionChoice
      .default("auto")
      .describe("The attention implementation; auto: the library's choice."),
    trustRemoteCode: z.boolean().default(false).describe("Let the checkpoint run code of its own."),
  }),
);

export const modelLoadParams = extending("ModelLoadParams", modelOptions, {
  source: z.string().min(1).describe("A bundled name, a folder, a .gguf file or a hub id."),
});

const modelPattern = named(
  "ModelPattern",
  z.object({
    kinds: list(z.string()).describe("One entry per block: sliding or full, rope or no-rope."),
    period: count(1).describe("Every block whose number from 1 is a multiple of it is of the kind `last`."),
    last: z.string().describe("The kind of the last block of each period."),
    software: list(z.string()).describe("What takes a block's kind from its number alone."),
  }),
);
/** The order of two kinds of blocks in a model that has both. */
export type ModelPattern = z.infer<typeof modelPattern>;

const quantisation = named(
  "Quantisation",
  z.object({
    method: z.enum(["bitsandbytes", "compressed-tensors", "fp8"]).describe("As config.json names it."),
    bits: list(count(1)).describe("Of the quantised weights, ascending; several where groups differ."),
    scheme: z.string().describe("Within the method: nf4, int8, pack-quantized."),
    packed: z
      .boolean()
      .describe("Whether weights lie in memory as in the files; otherwise they were made plain at loading."),
    library: z
      .string()
      .nullable()
      .describe("What it is run by beside transformers, with its release; null: nothing."),
  }),
);
/** How a checkpoint's weights are quantised. */
export type Quantisation = z.infer<typeof quantisation>;

export const modelInfo = named(
  "ModelInfo",
  z.object({
    source: z.string().describe("What it was loaded from, as it was asked for."),
    revision: z.string().nullable().describe("A hub id's commit; null for anything else."),
    modelType: z.string().describe("The configuration's model_type."),
    weightsDigest: digest().describe("sha256 over the weight files."),
    depth: count(1).describe("Number of blocks."),
    hiddenSize: count(1).describe("Width of the residual stream."),
    vocabularySize: count(1).describe("Tokens in the vocabulary."),
    contextLength: count(1).nullable().describe("Longest sequence the model was made for, in tokens."),
    parameters: count(1).describe(
      "Number of parameters, tied ones once; of packed ones what they stand for.",
    ),
    parallel: z.boolean().describe("Whether attention and feed-forward read the same input."),
    pattern: modelPattern
      .nullable()
      .describe(
        "The order of two kinds of blocks that some software expects; null where all blocks are of one kind.",
      ),
    dtype: z
      .string()
      .describe("The dtype it is loaded in; of a quantised one that of what is not quantised."),
    quantisation: quantisation
      .nullable()
      .default(null)
      .describe("How its weights are quantised; null: they are not."),
    device: z
      .string()
      .describe("The device it is on; over several, each with its blocks: cuda:0=20,cuda:1=12."),
    attention: z.string().describe("The attention implementation."),
    absent: list(unitName)
      .default([])
      .describe("Sublayers that the checkpoint was made without, in depthkit's own layout; elsewhere none."),
    notes: list(z.string()).describe("What lies in the checkpoint and was not loaded, or not as it says."),
    loadSeconds: finite().describe("Seconds that loading took."),
  }),
);
/** What a model is: its architecture, sizes and device, and where it came from. */
export type ModelInfo = z.infer<typeof modelInfo>;

export const screening = named("Screening", z.enum(["bfloat16", "float32"]));
/** What the precision `screen` multiplies in. */
export type Screening = z.infer<typeof screening>;

export const modelLoadResult = named(
  "ModelLoadResult",
  z.object({
    model: modelHandle,
    info: modelInfo,
    digest: digest().describe("sha256 over weights, configuration, tokenizer, dtype and attention."),
    screening: screening
      .nullable()
      .describe(
        "What the precision `screen` multiplies in; float32 where the device has no fast instructions for " +
          "bfloat16; null where the model is not loaded in float32, and nothing is to be gained.",
      ),
    actors: count()
      .nullable()
      .describe("Of the worker's cluster that hold it, or are about to; null: it drives none."),
  }),
);

export const modelTokenizerParams = named("ModelTokenizerParams", z.strictObject({ model: modelHandle }));

export const tokenizerInfo = named(
  "TokenizerInfo",
  z.object({ digest: digest().describe("sha256 over all that turns text into ids.") }),
);

export const modelUnloadParams = named("ModelUnloadParams", z.strictObject({ model: modelHandle }));
