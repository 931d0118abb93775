import { z } from "zod";
import { subject } from "./common.ts";
import { count, finite, named } from "./schema.ts";

export const profileModes = ["masked", "physical"] as const;
/** `masked`: the live model with units gated; `physical`: without the removed units' modules. */
export const profileMode = named("ProfileMode", z.enum(profileModes));
export type ProfileMode = (typeof profileModes)[number];

export const profilingProfileParams = named(
  "ProfilingProfileParams",
  z.strictObject({
    ...subject,
    modes: z.array(profileMode).min(1).describe("What is compared with the dense model, each once."),
    promptTokens: count(1).describe("Tokens of the prompt whose reading is timed, one prompt at a time."),
    contextTokens: count(1).describe("Tokens that stand before the first one written."),
    newTokens: count(1),
    batchSizes: z.array(count(1)).min(1).describe("Texts written at a time, each once."),
    rounds: count(1).describe("Each times every model once, in turn."),
    warmupRounds: count(),
    seed: count(),
  }),
);

/** A repeated measurement: its median and how far it spreads. */
export const spread = named(
  "Spread",
  z.object({
    median: finite(),
    lowerQuartile: finite(),
    upperQuartile: finite(),
    min: finite(),
    max: finite(),
    samples: z.array(finite()).describe("In the order they were taken."),
  }),
);
export type Spread = z.infer<typeof spread>;

export const speed = named(
  "Speed",
  z.object({
    batchSize: count(1),
    tokensPerSecond: spread.describe("Over all texts of the batch."),
    againstDense: spread.describe("The same divided by the dense model's in the same round."),
  }),
);
export type Speed = z.infer<typeof speed>;

export const modelProfile = named(
  "ModelProfile",
  z.object({
    mode: named("ProfiledMode", z.enum(["dense", ...profileModes])),
    blocks: count(),
    parameters: count().describe("Tied ones once; masked holds those of removed units too."),
    storedBytes: count().describe("Parameters in the checkpoint's dtype: weight files without headers."),
    kvBytesPerToken: count().describe("Counted on a filled cache."),
    weightBytes: count().describe("Parameters and buffers in the loaded dtype."),
    workingBytes: count().describe("The most held beside the weights, KV cache included."),
    peakBytes: count().describe("Weights and working memory together."),
    prefill: speed,
    decode: z.array(speed).describe("One entry a batch size."),
  }),
);
export type ModelProfile = z.infer<typeof modelProfile>;

export const profilingProfileResult = named(
  "ProfilingProfileResult",
  z.object({
    models: z.array(modelProfile).min(2).describe("The dense model, then one for each mode."),
    device: z.string(),
    dtype: z.string().describe("The dtype the model is loaded in."),
    storedDtype: z.string().describe("The dtype the checkpoint is stored in."),
    attention: z.string(),
    threads: count(1),
    memoryCountedBy: named("MemoryCountedBy", z.enum(["allocator", "tensors"])).describe(
      "allocator: the device's own; tensors: those alive, without kernels' scratch space.",
    ),
    promptTokens: count(1),
    contextTokens: count(1),
    newTokens: count(1),
    rounds: count(1),
    warmupRounds: count(),
    seed: count(),
    seconds: finite(),
  }),
);
export type ProfilingProfileResult = z.infer<typeof profilingProfileResult>;
