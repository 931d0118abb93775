import type { z } from "zod";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import type { GenerateResult, generateOptions } from "../protocol/generation.ts";
import type { CallOptions } from "../rpc/connection.ts";

export interface GenerateOptions extends CallOptions, z.input<typeof generateOptions> {}

export async function generateText(
  on: Subject,
  prompts: string | readonly string[],
  options: GenerateOptions,
): Promise<GenerateResult> {
  const texts = typeof prompts === "string" ? [prompts] : prompts;
  const subject = { ...subjectParams(on), prompts: texts };
  return (await on.connection.request("generation.generate", subject, options)).result;
}
