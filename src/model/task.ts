import type { z } from "zod";
import type { Scorable } from "../evaluation/scorable.ts";
import { anOptionsObject } from "../options.ts";
import { measuresOf } from "../protocol/subnetworks.ts";
import type { TaskInfo, taskOptions, taskTemplate } from "../protocol/task.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { Handle } from "../rpc/handle.ts";
import { type ShotsFrom, type TaskData, toRowSource, toShotsFrom } from "./task-data.ts";

/** A multiple-choice task of one's own: how a row becomes a prompt with choices. */
export interface TaskTemplate extends z.input<typeof taskTemplate> {}

export interface LoadTaskOptions
  extends CallOptions,
    ShotsFrom,
    Omit<z.input<typeof taskOptions>, "shotsFrom"> {}

/** Questions held by the worker, in the tokens of the model they were loaded for: docs/tasks.md. */
export class Task extends Handle implements Scorable {
  readonly info: TaskInfo;

  /** @internal */
  constructor(connection: Executor, task: string, info: TaskInfo) {
    super(connection, "task", task, () => connection.call("task.unload", { task }));
    this.info = info;
  }

  /** @internal */
  get measures() {
    return measuresOf[this.info.kind];
  }

  /** @internal */
  get key() {
    return { task: this.info.digest, items: this.info.items };
  }
}

export async function loadTask(
  connection: Executor,
  model: string,
  data: TaskData,
  options: LoadTaskOptions,
): Promise<Task> {
  anOptionsObject("task.load", options);
  const subject = { model, data: toRowSource(connection, data) };
  const call = { ...options, ...toShotsFrom(connection, options) };
  const { result } = await connection.request("task.load", subject, call);
  return new Task(connection, result.task, result.info);
}
