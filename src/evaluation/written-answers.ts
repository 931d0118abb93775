import type { z } from "zod";
import type { GenerationScore, GenerationTaskInfo, solveOptions } from "../protocol/generation-task.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { heldBy } from "../rpc/handle.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import { followingParams, type Subject } from "./subject.ts";

/** A task of written answers that a worker holds. */
export interface HeldGenerationTask {
  on(connection: Executor): string;
  readonly info: GenerationTaskInfo;
}

export interface SolveOptions extends CallOptions, z.input<typeof solveOptions> {}

export async function solveTask(
  on: Subject,
  task: HeldGenerationTask,
  options: SolveOptions,
  log?: ItemLog,
): Promise<GenerationScore> {
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const held = heldBy(on.connection, "generation.solve", "task", task);
  const subject = { ...followingParams(on), task: held, known };
  return (await on.connection.request("generation.solve", subject, options, resumed)).result;
}
