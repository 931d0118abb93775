import type { z } from "zod";
import { anOptionsObject } from "../options.ts";
import type { Perplexity, perplexityOptions } from "../protocol/evaluation.ts";
import type { CallOptions } from "../rpc/connection.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import { type Subject, subjectParams } from "./subject.ts";
import { type TextData, toDataSource } from "./text-data.ts";

export interface PerplexityOptions extends CallOptions, z.input<typeof perplexityOptions> {}

export async function scorePerplexity(
  on: Subject,
  data: TextData,
  options: PerplexityOptions,
  log?: ItemLog,
): Promise<Perplexity> {
  const { known, ...resumed } =
    log?.resume(anOptionsObject("evaluation.perplexity", options).maxChunks ?? undefined) ?? unlogged;
  const subject = { ...subjectParams(on), data: toDataSource(on.connection, data), known };
  return (await on.connection.request("evaluation.perplexity", subject, options, resumed)).result;
}
