import { resolve } from "node:path";
import type { z } from "zod";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import type { HarnessResult, harnessOptions } from "../protocol/harness.ts";
import type { CallOptions } from "../rpc/connection.ts";

export interface LmEvalOptions extends CallOptions, z.input<typeof harnessOptions> {}

export async function runLmEval(on: Subject, options: LmEvalOptions): Promise<HarnessResult> {
  const { includePath = null } = options;
  const local = { ...options, includePath: includePath === null ? null : resolve(includePath) };
  return (await on.connection.request("harness.run", subjectParams(on), local)).result;
}
