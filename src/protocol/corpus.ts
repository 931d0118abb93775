import { z } from "zod";
import { bosPolicy, corpusHandle, dataInfo, dataSource, firstTokens, modelHandle } from "./common.ts";
import { knownItems } from "./item-values.ts";
import { count, digest, extending, finite, MOST_AT_A_TIME, named, notNegative, upTo } from "./schema.ts";

const packings = ["pack", "none"] as const;
/** `pack`: one stream cut to equal length; `none`: one sequence per text, cut at the length. */
const packing = named("Packing", z.enum(packings));

/** Options of `loadCorpus`: how text becomes sequences of tokens. */
export const corpusOptions = named(
  "CorpusOptions",
  z.strictObject({
    sequences: count(1).nullable().default(null).describe("How many sequences to take; null: all there are."),
    skip: count()
      .default(0)
      .describe("Sequences at the front to leave out, so that one text gives parts that share nothing."),
    numbers: z
      .array(count())
      .min(1)
      .nullable()
      .default(null)
      .describe(
        "Which of the text's sequences to take, counted from 0, in growing order; null: those that follow " +
          "`skip`.",
      ),
    length: count(2).default(512).describe("Tokens per sequence."),
    packing: packing
      .default("pack")
      .describe("pack: one stream cut to equal length; none: one sequence per text, cut at the length."),
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

const writtenInfo = named(
  "WrittenInfo",
  z.object({
    weights: digest().describe("Of the model that wrote."),
    prompts: digest().describe("Of the tokens of the corpus whose sequences' beginnings were the prompts."),
    promptTokens: count(1).nullable().describe("First tokens of a sequence that were its prompt; null: all."),
    newTokens: count(1).describe("Tokens behind a prompt at most."),
    temperature: finite().describe("0: the likeliest token each time."),
    seed: count().describe("Of sampling."),
    tokens: count(1).describe("Tokens written."),
    ended: count().describe("Sequences that the model ended itself."),
  }),
);

export const corpusInfo = named(
  "CorpusInfo",
  z.object({
    data: dataInfo.describe("What was read."),
    tokensDigest: digest().describe(
      "sha256 of the token ids as little-endian int32, sequence after sequence.",
    ),
    sequences: count(1).describe("Sequences held."),
    length: count(2).describe("Tokens per sequence, at most."),
    tokens: count().describe("Tokens held."),
    tokensTotal: count().describe("Tokens in the text as a whole."),
    tokensDropped: count().describe("Tokens left out, in front, between and at the end."),
    skip: count().default(0).describe("Sequences left out in front."),
    numbers: z
      .array(count())
      .nullable()
      .default(null)
      .describe("Which of the text's sequences it holds; null: those that follow `skip`."),
    packing: packing.describe("How texts became sequences."),
    separator: z.string().describe("What stands between two texts of a packed stream."),
    bos: bosPolicy.describe("The policy asked for."),
    bosAdded: z.boolean().describe("Whether each sequence starts with a BOS token."),
    bosInText: count().describe(
      "Sequences whose text begins with a BOS token of its own; no second one is put in front of it.",
    ),
    firstTokens,
    written: writtenInfo
      .nullable()
      .default(null)
      .describe("Where a model wrote all but the beginnings of the sequences: which, and how."),
  }),
);
/** What a corpus holds: sequences, tokens, and what was left out. */
export type CorpusInfo = z.infer<typeof corpusInfo>;

export const corpusLoadResult = named(
  "CorpusLoadResult",
  z.object({ corpus: corpusHandle, info: corpusInfo }),
);

export const corpusWriteOptions = named(
  "CorpusWriteOptions",
  z.strictObject({
    promptTokens: count(1)
      .nullable()
      .default(null)
      .describe("First tokens of each sequence that are its prompt; null: the whole sequence."),
    newTokens: count(1)
      .default(256)
      .describe("Tokens to write behind each at most; a token that ends a text is one."),
    temperature: notNegative(100).default(0).describe("0: the likeliest token each time."),
    seed: count().default(0).describe("For sampling: each sequence draws by it and its own number."),
    batchSize: upTo(MOST_AT_A_TIME).default(8).describe("Sequences at a time."),
  }),
);

export const corpusWriteParams = extending("CorpusWriteParams", corpusWriteOptions, {
  model: modelHandle,
  corpus: corpusHandle,
  known: knownItems,
});

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
