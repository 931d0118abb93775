import { z } from "zod";
import {
  bosPolicy,
  dataInfo,
  dataSource,
  finiteOrInfinity,
  firstTokens,
  subject,
  taskHandle,
} from "./common.ts";
import { knownItems } from "./item-values.ts";
import { followed, ownSkips } from "./policies.ts";
import { count, digest, extending, finite, list, MOST_AT_A_TIME, named, share, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

const rowModes = ["raw", "wikitext"] as const;
/** `raw`: the text as it is; `wikitext`: lines as rows joined by blank lines, as published figures do. */
const rowMode = named("RowMode", z.enum(rowModes));

const everyItem = z.boolean().default(false).describe("Also give every item.");

/** Options of perplexity: which rows of the text, cut how, in which windows. */
export const perplexityOptions = named(
  "PerplexityOptions",
  z.strictObject({
    rows: rowMode
      .default("raw")
      .describe("raw: the text as it is; wikitext: the published protocol's rows (docs/methods.md)."),
    separator: z.string().default("\n\n").describe("Stands between two texts."),
    chunk: count(2)
      .nullable()
      .default(null)
      .describe("Tokens per chunk; null: 2,048, or the model's limit where that is less."),
    stride: count(1)
      .nullable()
      .default(null)
      .describe("Tokens from one chunk's start to the next, each scored once; null: the chunk."),
    maxChunks: count(1).nullable().default(null).describe("Stop after this many chunks; null: never."),
    bos: bosPolicy
      .default("auto")
      .describe("BOS token at the start of each chunk; auto: where the tokeniser adds it itself."),
    batchSize: upTo(MOST_AT_A_TIME).default(1).describe("Chunks at a time."),
    items: everyItem,
  }),
);

export const evaluationPerplexityParams = extending("EvaluationPerplexityParams", perplexityOptions, {
  ...subject,
  policy: followed,
  data: dataSource,
  known: knownItems,
});

const perplexityItems = named(
  "PerplexityItems",
  z.object({
    losses: tensorRef.describe("float64 (chunks): summed over the tokens scored, in nats."),
    tokens: tensorRef.describe("uint32 (chunks): tokens scored."),
  }),
);

export const perplexityResult = named(
  "PerplexityResult",
  z.object({
    perplexity: finiteOrInfinity.describe("exp of the loss; Infinity above the largest number there is."),
    loss: finite().describe("Mean cross entropy, in nats, of the tokens scored."),
    meanOfSequences: finiteOrInfinity.describe("Mean over chunks of exp(loss of the chunk)."),
    wordPerplexity: finiteOrInfinity.nullable().describe("Null where the words scored cannot be told."),
    bitsPerByte: finite().nullable().describe("Null where the bytes scored cannot be told."),
    data: dataInfo.describe("What was read."),
    rows: rowMode.describe("How the text became rows."),
    separator: z.string().describe("What stands between two texts."),
    chunk: count(2).describe("Tokens per chunk."),
    stride: count(1).describe("Tokens from one chunk's start to the next."),
    chunks: count(1).describe("Chunks scored."),
    bos: bosPolicy.describe("The policy asked for."),
    bosAdded: z.boolean().describe("Whether each chunk starts with a BOS token."),
    bosInText: count().describe(
      "Chunks whose text begins with a BOS token of its own; no second one is put in front of it.",
    ),
    firstTokens,
    tokensTotal: count().describe("Tokens in the text as a whole."),
    tokensScored: count(1).describe("Tokens that the loss is a mean over."),
    tokensDropped: count().describe("Tokens behind the last whole chunk, or beyond maxChunks."),
    perItem: perplexityItems.nullable(),
    skips: ownSkips,
    batchSize: count(1).describe("Chunks at a time."),
    seconds: finite().describe("Seconds it took."),
  }),
);
export type PerplexityResult = z.infer<typeof perplexityResult>;

const taskBatchSize = upTo(MOST_AT_A_TIME)
  .nullable()
  .default(null)
  .describe("Items per batch, those behind the same examples as one; null: as many as pay and fit.");

/** Options of the scoring of questions with choices. */
export const choicesOptions = named(
  "ChoicesOptions",
  z.strictObject({
    batchSize: taskBatchSize,
    items: everyItem,
    compareToDense: z
      .boolean()
      .default(false)
      .describe("Score the whole model too, and say where the two choose alike."),
  }),
);

export const evaluationChoicesParams = extending("EvaluationChoicesParams", choicesOptions, {
  ...subject,
  policy: followed,
  task: taskHandle,
  known: knownItems,
});

const rate = named(
  "Rate",
  z.object({
    micro: share().describe("Share of items answered rightly, every item alike."),
    macro: share().nullable().describe("Mean of the groups' shares; null where there are no groups."),
    standardError: finite().nullable().describe("Of micro, over items; null with one item."),
  }),
);
/** A share of items, with its standard error. */
export type Rate = z.infer<typeof rate>;

const groupScore = named(
  "GroupScore",
  z.object({
    name: z.string().describe("The group, such as a subject."),
    items: count(1).describe("Questions of the group."),
    acc: share().describe("Share answered rightly, by log-likelihood."),
    accNormChars: share().describe("The same by log-likelihood a character."),
    accNormBytes: share().describe("The same by log-likelihood a byte."),
  }),
);

export const agreement = named(
  "Agreement",
  z.object({
    denseAcc: share().describe("The dense model's own accuracy."),
    agreement: share().describe("Share of items where both choose the same, right or wrong."),
    bothRight: count().describe("Items both answer rightly."),
    onlyDenseRight: count().describe("Items the dense model alone answers rightly."),
    onlySubnetworkRight: count().describe("Items the subnetwork alone answers rightly."),
    bothWrong: count().describe("Items neither answers rightly."),
    stability: share()
      .nullable()
      .describe(
        "Share of items both answer rightly or both wrongly, each weighing exp of the spread of the dense " +
          "model's choice perplexities; null where one of these is larger than any number.",
      ),
    retained: finite()
      .nullable()
      .describe("The subnetwork's accuracy in percent of the dense model's; null where that is 0."),
  }),
);

/** What a subnetwork and the whole model answer alike and differently: stability and its counts. */
export type Agreement = z.infer<typeof agreement>;

const choiceItems = named(
  "ChoiceItems",
  z.object({
    logLikelihoods: tensorRef.describe("float64 (choices): in nats, item after item."),
    ends: tensorRef.describe("uint32 (items): choices up to and with each item."),
    chosen: tensorRef.describe("uint32 (items): the choice of the highest log-likelihood."),
    chosenNormChars: tensorRef.describe("uint32 (items): that of the highest a character."),
    chosenNormBytes: tensorRef.describe("uint32 (items): that of the highest a byte."),
    answers: tensorRef.describe("uint32 (items): the right choice."),
  }),
);

export const choicesResult = named(
  "ChoicesResult",
  z.object({
    acc: rate.describe("By log-likelihood."),
    accNormChars: rate.describe("By log-likelihood a character of the choice."),
    accNormBytes: rate.describe("By log-likelihood a byte of the choice in UTF-8."),
    groups: list(groupScore).describe("The same by group, where the task has groups."),
    choiceLoss: finite().describe("Mean of -log softmax(log-likelihoods)[answer], in nats."),
    probabilityMass: finite().describe("Mean over items of the choices' probabilities, summed."),
    ties: count().describe("Items whose highest log-likelihood several choices have; the lowest index wins."),
    items: count(1).describe("Questions asked."),
    taskDigest: digest().describe("The task's digest."),
    comparison: agreement.nullable().describe("Beside the dense model, where asked for."),
    perItem: choiceItems.nullable(),
    skips: ownSkips,
    batchSize: count().describe("Items in the largest batch; 0 where all were known."),
    notes: list(z.string()).describe("What did not go as planned, such as batches halved for memory."),
    seconds: finite().describe("Seconds it took."),
  }),
);

export type ChoicesResult = z.infer<typeof choicesResult>;

/** Options of the scoring of last words. */
export const lastWordOptions = named(
  "LastWordOptions",
  z.strictObject({ batchSize: taskBatchSize, items: everyItem }),
);

export const evaluationLastWordParams = extending("EvaluationLastWordParams", lastWordOptions, {
  ...subject,
  policy: followed,
  task: taskHandle,
  known: knownItems,
});

const lastWordItems = named(
  "LastWordItems",
  z.object({
    logLikelihoods: tensorRef.describe("float64 (items): of the target, in nats."),
    right: tensorRef.describe("uint8 (items): 1 where every token of the target is the likeliest."),
  }),
);

export const lastWordResult = named(
  "LastWordResult",
  z.object({
    acc: share().describe("Share of items whose every target token is the likeliest."),
    standardError: finite().nullable().describe("Of the accuracy, over items; null with one item."),
    perplexity: finiteOrInfinity.describe("exp of the mean negative log-likelihood of a target."),
    loss: finite().describe("Mean cross entropy of the target tokens, in nats."),
    tokens: count(1).describe("Target tokens."),
    items: count(1).describe("Items asked."),
    taskDigest: digest().describe("The task's digest."),
    perItem: lastWordItems.nullable(),
    skips: ownSkips,
    batchSize: count().describe("Items in the largest batch; 0 where all were known."),
    notes: list(z.string()).describe("What did not go as planned, such as batches halved for memory."),
    seconds: finite().describe("Seconds it took."),
  }),
);
export type LastWordResult = z.infer<typeof lastWordResult>;
