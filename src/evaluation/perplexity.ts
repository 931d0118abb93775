import type { z } from "zod";
import { anOptionsObject } from "../options.ts";
import type { PerplexityResult, perplexityOptions } from "../protocol/evaluation.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import { followingParams, type Subject } from "./subject.ts";
import { type TextData, toDataSource } from "./text-data.ts";

export interface PerplexityOptions extends CallOptions, z.input<typeof perplexityOptions> {}

/** One chunk of a text. */
export interface ChunkItem {
  /** Summed over the tokens scored, in nats. */
  loss: number;
  /** Tokens scored. */
  tokens: number;
}

/** Perplexity on a text, with its protocol: docs/methods.md says what each number is. */
export interface Perplexity extends Omit<PerplexityResult, "perItem"> {
  /** Where `items` asked for them, in the text's order. */
  perItem?: ChunkItem[];
}

export async function scorePerplexity(
  on: Subject,
  data: TextData,
  options: PerplexityOptions,
  log?: ItemLog,
): Promise<Perplexity> {
  const { known, ...resumed } =
    log?.resume(anOptionsObject("evaluation.perplexity", options).maxChunks ?? undefined) ?? unlogged;
  const subject = { ...followingParams(on), data: toDataSource(on.connection, data), known };
  const { result, tensor } = await on.connection.request("evaluation.perplexity", subject, options, resumed);
  const { perItem, ...scores } = result;
  if (perItem === null) return scores;
  const tokens = tensor(perItem.tokens).data;
  const losses = Array.from(tensor(perItem.losses).data);
  return { ...scores, perItem: losses.map((loss, chunk) => ({ loss, tokens: tokens[chunk] ?? 0 })) };
}
