import { z } from "zod";
import { modelHandle, subject, unitKind } from "./common.ts";
import { followed, ownSkips } from "./policies.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";

const profileModes = ["masked", "physical"] as const;
/** `masked`: the live model with units gated; `physical`: without the removed units' modules. */
const profileMode = named("ProfileMode", z.enum(profileModes));
/** How the smaller model is timed: with its units gated, or rebuilt without them. */
export type ProfileMode = (typeof profileModes)[number];

/** Options of `profile`. */
export const profileOptions = named(
  "ProfileOptions",
  z.strictObject({
    modes: list(profileMode, 1)
      .default([...profileModes])
      .describe("What is compared with the whole model, each once."),
    promptTokens: count(1)
      .nullable()
      .default(null)
      .describe(
        "Tokens of the prompt whose reading is timed; null: 512, or the model's limit where that is less.",
      ),
    contextTokens: count(1)
      .nullable()
      .default(null)
      .describe("Tokens before the first one written; null: 128, or half the model's limit at most."),
    newTokens: count(1).default(32).describe("Tokens written by each timed run."),
    batchSizes: list(upTo(MOST_AT_A_TIME), 1).default([1, 8]).describe("Texts written at a time, each once."),
    rounds: count(1).default(5).describe("Times every model is timed, in turn."),
    warmupRounds: count().default(1).describe("Rounds before these, not counted."),
    seed: count().default(0).describe("For the random prompts."),
    text: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("What is read, from its first token on, and continued; null: tokens by lot."),
  }),
);

export const profilingProfileParams = extending("ProfilingProfileParams", profileOptions, {
  ...subject,
  policy: followed,
});

export const profilingUnitCostsParams = named(
  "ProfilingUnitCostsParams",
  z.strictObject({ model: modelHandle }),
);

const kindCosts = named(
  "KindCosts",
  z.object({
    kind: unitKind,
    parameters: list(count()).describe("Of each unit by depth, those that others share left out."),
    storedBytes: list(count()).describe("The same in the checkpoint's dtype, or as quantised there."),
    kvBytesPerToken: list(count()).describe("What its attention keeps for a token, in the loaded dtype."),
  }),
);

export const profilingUnitCostsResult = named(
  "ProfilingUnitCostsResult",
  z.object({
    kinds: list(kindCosts),
    parameters: count().describe("Of the whole model, embedding and head included; tied ones once."),
    storedBytes: count(),
    kvBytesPerToken: count(),
  }),
);

/** A repeated measurement: its median and how far it spreads. */
const spread = named(
  "Spread",
  z.object({
    median: finite().describe("Half of the samples are below it."),
    lowerQuartile: finite().describe("A quarter of the samples are below it."),
    upperQuartile: finite().describe("Three quarters of the samples are below it."),
    min: finite().describe("The least sample."),
    max: finite().describe("The greatest sample."),
    samples: list(finite()).describe("In the order they were taken."),
  }),
);
/** The middle and the spread of repeated timings. */
export type Spread = z.infer<typeof spread>;

export const speed = named(
  "Speed",
  z.object({
    batchSize: count(1).describe("Texts at a time."),
    tokensPerSecond: spread.describe("Over all texts of the batch."),
    againstDense: spread.describe("The same divided by the dense model's in the same round."),
  }),
);
/** How fast text is read and written. */
export type Speed = z.infer<typeof speed>;

export const modelProfile = named(
  "ModelProfile",
  z.object({
    mode: named("ProfiledMode", z.enum(["dense", ...profileModes])).describe("How it was measured."),
    blocks: count().describe("Blocks of which anything runs."),
    parameters: count().describe("Tied ones once; masked holds those of removed units too."),
    storedBytes: count().describe(
      "In the checkpoint's dtype, or as quantised: weight files without headers.",
    ),
    kvBytesPerToken: count().describe("Counted on a filled cache."),
    weightBytes: count().describe("Parameters and buffers in the loaded dtype."),
    workingBytes: count().describe("The most held beside the weights, KV cache included."),
    peakBytes: count().describe("Weights and working memory together."),
    prefill: speed.describe("How fast a prompt is read."),
    decode: list(speed).describe("One entry per batch size."),
  }),
);
/** What a model costs to store and to run. */
export type ModelProfile = z.infer<typeof modelProfile>;

export const profilingProfileResult = named(
  "ProfilingProfileResult",
  z.object({
    models: list(modelProfile, 2).describe("The dense model, then one for each mode."),
    device: z.string().describe("The device it was measured on."),
    dtype: z.string().describe("The dtype the model is loaded in."),
    storedDtype: z.string().describe("The dtype the checkpoint is stored in."),
    attention: z.string().describe("The attention implementation."),
    threads: count(1).describe("Threads PyTorch used."),
    memoryCountedBy: named("MemoryCountedBy", z.enum(["allocator", "tensors"])).describe(
      "allocator: the device's own; tensors: those alive, without kernels' scratch space.",
    ),
    promptTokens: count(1).describe("Tokens of the prompt whose reading was timed."),
    contextTokens: count(1).describe("Tokens before the first one written."),
    newTokens: count(1).describe("Tokens written by each timed run."),
    rounds: count(1).describe("Times every model was timed."),
    warmupRounds: count().describe("Rounds before these, not counted."),
    seed: count().describe("Of the random prompts."),
    skips: ownSkips,
    seconds: finite().describe("Seconds it took."),
  }),
);
export type ProfilingProfileResult = z.infer<typeof profilingProfileResult>;
