import { z } from "zod";
import { bosPolicy, corpusHandle, dataInfo, dataSource, firstTokens, modelHandle } from "./common.ts";
import { count, digest, extending, named } from "./schema.ts";

const packings = ["pack", "none"] as const;
/** `pack`: one stream cut to equal length; `none`: one sequence a text, cut at the length. */
const packing = named("Packing", z.enum(packings));

export const corpusOptions = named(
  "CorpusOptions",
  z.strictObject({
    sequences: count(1)
      .nullable()
      .default(null)
      .describe("How many sequences to take from the front; null: all there are."),
    length: count(2).default(512).describe("Tokens a sequence."),
    packing: packing
      .default("pack")
      .describe("pack: one stream cut to equal length; none: one sequence a text, cut at the length."),
    separator: z.string().default("\n\n").describe("Stands between two texts of a packed stream."),
    bos: bosPolicy
      .default("auto")
      .describe("BOS token at the start of each sequence; auto: where the tokeniser adds it itself."),
  }),
);

export const corpusLoadParams = extending("CorpusLoadParams", corpusOptions, {
  model: modelHandle,
  data: dataSource,
});

export const corpusInfo = named(
  "CorpusInfo",
  z.object({
    data: dataInfo.describe("What was read."),
    tokensDigest: digest().describe(
      "sha256 of the token ids as little-endian int32, sequence after sequence.",
    ),
    sequences: count(1).describe("Sequences held."),
    length: count(2).describe("Tokens a sequence, at most."),
    tokens: count().describe("Tokens held."),
    tokensTotal: count().describe("Tokens in the text as a whole."),
    tokensDropped: count().describe("Tokens left out at the end."),
    packing: packing.describe("How texts became sequences."),
    separator: z.string().describe("What stands between two texts of a packed stream."),
    bos: bosPolicy.describe("The policy asked for."),
    bosAdded: z.boolean().describe("Whether each sequence starts with a BOS token."),
    bosInText: count().describe(
      "Sequences whose text begins with a BOS token of its own; no second one is put in front of it.",
    ),
    firstTokens,
  }),
);
export type CorpusInfo = z.infer<typeof corpusInfo>;

export const corpusLoadResult = named(
  "CorpusLoadResult",
  z.object({ corpus: corpusHandle, info: corpusInfo }),
);

export const corpusUnloadParams = named("CorpusUnloadParams", z.strictObject({ corpus: corpusHandle }));
