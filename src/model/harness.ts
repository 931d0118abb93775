import type { z } from "zod";
import { pathFor } from "../evaluation/paths.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { anOptionsObject } from "../options.ts";
import type { HarnessResult, harnessOptions } from "../protocol/harness.ts";
import type { CallOptions } from "../rpc/call-options.ts";

export interface LmEvalOptions extends CallOptions, z.input<typeof harnessOptions> {}

export async function runLmEval(on: Subject, options: LmEvalOptions): Promise<HarnessResult> {
  const { includePath = null } = anOptionsObject("harness.run", options);
  const local = {
    ...options,
    includePath: includePath === null ? null : pathFor(on.connection, includePath),
  };
  return (await on.connection.request("harness.run", subjectParams(on), local)).result;
}
