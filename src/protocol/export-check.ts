import { z } from "zod";
import { onnxDtype } from "./export.ts";
import { checkpointRuntimes } from "./names.ts";
import { count, finite, list, named, notNegative, path, share } from "./schema.ts";

/** What a written model should answer: kept in it, for a check in the software that it is for. */
export const exportReference = named(
  "ExportReference",
  z.object({
    version: count().describe("Of this form: 1."),
    prompts: list(
      named(
        "ExportReferencePrompt",
        z.object({
          text: z
            .string()
            .nullable()
            .describe("The prompt; null where its tokens are cut to what the model reads, or were made up."),
          ids: list(count(), 1).describe("Its tokens, as the model gets them."),
          likeliest: list(count(), 1).describe("Behind each token, the likeliest next one."),
          logProbabilities: list(finite(), 1).describe("Natural, of the likeliest next tokens."),
          written: list(count(), 1).describe(
            "What greedy generation writes: 16 tokens, or as many as the model has room for.",
          ),
        }),
      ),
      1,
    ).describe("Computed from the subnetwork in memory."),
    texts: list(
      named(
        "ExportReferenceText",
        z.object({
          text: z.string().describe("Spaces, accents, digits and signs, where tokenizers differ."),
          ids: list(count()).describe("What the model's own tokenizer makes of it."),
        }),
      ),
    ).describe("For the tokenizer alone; empty without one."),
    kvBytesPerToken: count().describe("Of the live model's cache, in its dtype."),
  }),
);

export const checkSide = z.object({
  largestDifference: notNegative().describe(
    "Of log-probabilities: those of the reference's likeliest tokens, at every place of every prompt.",
  ),
  agreement: share().describe("How many of the likeliest next tokens are the reference's."),
  written: share().describe(
    "How many of the tokens written after the prompts are the reference's, up to the first other one.",
  ),
  cached: share().describe(
    "How many of them it writes without a cache too. Near ties count as the same: in llama.cpp those no " +
      "further apart than twice largestDifference.",
  ),
  leftPadded: share()
    .nullable()
    .default(null)
    .describe(
      "How many of the likeliest next tokens are the reference's where all its prompts are one batch, padded " +
        "on the left; null where the software has no such batches.",
    ),
  sameTokens: z
    .boolean()
    .nullable()
    .describe(
      "Whether it splits the reference's prompts and texts into the same tokens; null where there is none.",
    ),
  kvBytesPerToken: count().nullable().describe("Of its cache, as it holds it; null where it does not say."),
});

export const exportCheckParams = named(
  "ExportCheckParams",
  z.strictObject({
    folder: path().describe("A checkpoint or an ONNX export that depthkit wrote."),
    dtype: onnxDtype
      .nullable()
      .default(null)
      .describe("Which graph of an ONNX export; null: the widest that is there."),
    runtime: named("WorkerRuntime", z.enum([...checkpointRuntimes, "onnxruntime"]))
      .nullable()
      .default(null)
      .describe("What loads it; null: transformers a checkpoint, onnxruntime an ONNX export."),
    trustRemoteCode: z.boolean().default(false).describe("Run the modelling file that lies in it."),
  }),
);

export const exportCheckResult = named(
  "ExportCheckResult",
  z.object({
    runtime: z.string().describe("The software that loaded it, with its version."),
    ...checkSide.shape,
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What a runtime made of a file, beside what the model in memory says. */
export type RuntimeCheck = z.infer<typeof exportCheckResult>;
