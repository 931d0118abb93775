import type { z } from "zod";
import { anOptionsObject } from "../options.ts";
import type { GenerationTaskInfo, generationTaskOptions } from "../protocol/generation-task.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { Handle } from "../rpc/handle.ts";
import { type ShotsFrom, type TaskData, toRowSource, toShotsFrom } from "./task-data.ts";

export interface LoadGenerationTaskOptions
  extends CallOptions,
    ShotsFrom,
    Omit<z.input<typeof generationTaskOptions>, "shotsFrom"> {}

/** Questions whose answers are written, held by the worker. */
export class GenerationTask extends Handle {
  readonly info: GenerationTaskInfo;

  /** @internal */
  constructor(connection: Executor, task: string, info: GenerationTaskInfo) {
    super(connection, "task", task, () => connection.call("generation.unloadTask", { task }));
    this.info = info;
  }
}

export async function loadGenerationTask(
  connection: Executor,
  model: string,
  data: TaskData,
  options: LoadGenerationTaskOptions,
): Promise<GenerationTask> {
  anOptionsObject("generation.loadTask", options);
  const subject = { model, data: toRowSource(connection, data) };
  const call = { ...options, ...toShotsFrom(connection, options) };
  const { result } = await connection.request("generation.loadTask", subject, call);
  return new GenerationTask(connection, result.task, result.info);
}
