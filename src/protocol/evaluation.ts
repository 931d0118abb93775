import { z } from "zod";
import { bosPolicy, dataInfo, dataSource, subject } from "./common.ts";
import { count, finite, named } from "./schema.ts";

export const rowModes = ["raw", "wikitext"] as const;
/** `raw`: the text as it is; `wikitext`: lines as rows joined by blank lines, as published figures do. */
export const rowMode = named("RowMode", z.enum(rowModes));

export const evaluationPerplexityParams = named(
  "EvaluationPerplexityParams",
  z.strictObject({
    ...subject,
    data: dataSource,
    rows: rowMode,
    separator: z.string(),
    chunk: count(2)
      .nullable()
      .describe("Tokens a chunk; null: 2,048, or the model's limit where that is less."),
    stride: count(1).nullable().describe("Tokens from one chunk's start to the next; null: the chunk."),
    maxChunks: count(1).nullable(),
    bos: bosPolicy,
    batchSize: count(1),
  }),
);

export const perplexityResult = named(
  "PerplexityResult",
  z.object({
    perplexity: finite().describe("exp of the mean cross entropy, in nats, of the tokens scored."),
    loss: finite(),
    meanOfSequences: finite().describe("Mean over chunks of exp(loss of the chunk)."),
    wordPerplexity: finite().nullable().describe("Null where the words scored cannot be told."),
    bitsPerByte: finite().nullable().describe("Null where the bytes scored cannot be told."),
    data: dataInfo,
    rows: rowMode,
    separator: z.string(),
    chunk: count(2),
    stride: count(1),
    chunks: count(1),
    bos: bosPolicy,
    bosAdded: z.boolean(),
    tokensTotal: count(),
    tokensScored: count(1),
    tokensDropped: count().describe("Tokens behind the last whole chunk, or beyond maxChunks."),
    batchSize: count(1),
    seconds: finite(),
  }),
);
export type Perplexity = z.infer<typeof perplexityResult>;
