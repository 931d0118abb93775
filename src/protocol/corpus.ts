import { z } from "zod";
import { bosPolicy, corpusHandle, dataInfo, dataSource, firstTokens, modelHandle } from "./common.ts";
import { count, digest, extending, named } from "./schema.ts";

const packings = ["pack", "none"] as const;
/** `pack`: one stream cut to equal length; `none`: one sequence a text, cut at the length. */
const packing = named("Packing", z.enum(packings));

export const corpusOptions = named(
  "CorpusOptions",
  z.strictObject({
    sequences: count(1).nullable().default(null).describe("How many sequences to take; null: all there are."),
    skip: count()
      .default(0)
      .describe("Sequences at the front to leave out, so that one text gives parts that share nothing."),
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
    tokensDropped: count().describe("Tokens left out, in front and at the end."),
    skip: count().default(0).describe("Sequences left out in front."),
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

export const corpusOverlapParams = named(
  "CorpusOverlapParams",
  z.strictObject({ model: modelHandle, first: corpusHandle, second: corpusHandle }),
);

export const corpusOverlap = named(
  "CorpusOverlap",
  z.object({
    stretch: count(1).describe("Tokens of a stretch."),
    stretches: count().describe(
      "Stretches of the second corpus: its sequences cut into pieces of this length.",
    ),
    shared: count().describe("Of these, how many stand somewhere in the first corpus too."),
    example: z.string().nullable().describe("The text of the first shared one; null where none is."),
  }),
);

export type CorpusOverlap = z.infer<typeof corpusOverlap>;

export const corpusUnloadParams = named("CorpusUnloadParams", z.strictObject({ corpus: corpusHandle }));
