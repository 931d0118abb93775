import { resolve } from "node:path";
import type { HarnessResult } from "../protocol/harness.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { Subject } from "./subject.ts";

export interface LmEvalOptions extends CallOptions {
  /** Tasks, groups or tags of lm-eval, or patterns such as `mmlu_*`. */
  tasks: readonly string[];
  /** Items of each task, from the front. Default: all. */
  limit?: number;
  /** Examples in front of each item. Default: what the task says; a task that fixes 0 keeps it. */
  shots?: number;
  /** Default 1. */
  batchSize?: number;
  /** A folder with task files (.yaml) of your own. */
  includePath?: string;
}

export async function runLmEval(
  connection: Connection,
  subject: Subject,
  { tasks, limit, shots, batchSize = 1, includePath, ...call }: LmEvalOptions,
): Promise<HarnessResult> {
  const params = {
    ...subject,
    tasks: [...tasks],
    limit: limit ?? null,
    shots: shots ?? null,
    batchSize,
    includePath: includePath === undefined ? null : resolve(includePath),
  };
  return (await connection.call("harness.run", params, call)).result;
}
