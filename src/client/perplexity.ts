import type { BosPolicy } from "../protocol/common.ts";
import type { Perplexity } from "../protocol/evaluation.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import type { Subject } from "./subject.ts";
import { type TextData, toDataSource } from "./text-data.ts";

export interface PerplexityOptions extends CallOptions {
  /** `raw` (default): the text as it is; `wikitext`: the published protocol's rows (docs/methods.md). */
  rows?: "raw" | "wikitext";
  /** Stands between two texts. Default: a blank line. */
  separator?: string;
  /** Tokens a chunk. Default 2,048, or the model's limit where that is less. */
  chunk?: number;
  /** Tokens from one chunk's start to the next; each token is scored once. Default: the chunk. */
  stride?: number;
  /** Stop after this many chunks. */
  maxChunks?: number;
  /** Whether each chunk starts with the BOS token. Default `auto`: where the tokeniser adds it itself. */
  bos?: BosPolicy;
  /** Chunks at a time. Default 1. */
  batchSize?: number;
}

/** What a call says of the text and how it is cut, defaults filled in. */
export function perplexityParams(
  data: TextData,
  {
    rows = "raw",
    separator = "\n\n",
    chunk,
    stride,
    maxChunks,
    bos = "auto",
    batchSize = 1,
  }: PerplexityOptions,
) {
  return {
    data: toDataSource(data),
    rows,
    separator,
    chunk: chunk ?? null,
    stride: stride ?? null,
    maxChunks: maxChunks ?? null,
    bos,
    batchSize,
  };
}

export async function scorePerplexity(
  connection: Connection,
  subject: Subject,
  data: TextData,
  options: PerplexityOptions,
  log?: ItemLog,
): Promise<Perplexity> {
  const { signal, onProgress, maxChunks } = options;
  const { known, ...resumed } = log?.resume(maxChunks) ?? unlogged;
  const params = { ...subject, ...perplexityParams(data, options), known };
  return (await connection.call("evaluation.perplexity", params, { signal, onProgress, ...resumed })).result;
}
