import { resolve } from "node:path";
import type { BosPolicy } from "../protocol/common.ts";
import type { Params } from "../protocol/methods.ts";
import type { TaskFormat, TaskInfo } from "../protocol/task.ts";
import type { CallOptions, Connection } from "./connection.ts";

/** A multiple-choice task of one's own: how a row becomes a prompt with choices. */
export interface TaskTemplate {
  /** With the row's fields in braces: `{question}`, `{choices[0]}`; `{{` and `}}` are braces. */
  prompt: string;
  /** The field that holds the choices, or the same choices for every row. */
  choices: string | readonly string[];
  /** The field with the right choice: its index from 0, or its text. */
  answer: string;
  /** The field that macro averages are taken over; examples then come from the same group. */
  group?: string;
  /** In front of every prompt; may name fields. Default: nothing. */
  description?: string;
  /** Between prompt and choice. Default: a space. */
  delimiter?: string;
  /** Behind each example. Default: a blank line. */
  separator?: string;
}

export interface LoadTaskOptions extends CallOptions {
  /** A known format, or a template. Default: what the rows name in their field `task`. */
  format?: TaskFormat | TaskTemplate;
  /** Examples in front of each question, 0 to 5, from `shotsFile`. Default 0. */
  shots?: number;
  /** The file the examples come from: its first rows, for MMLU and templates with a group those of the group. */
  shotsFile?: string;
  /** Take the first so many rows. Default: all. */
  limit?: number;
  /** Whether each prompt starts with the BOS token. Default `auto`: where the tokeniser adds it itself. */
  bos?: BosPolicy;
}

/** Questions held by the worker, in the tokens of the model they were loaded for: docs/tasks.md. */
export class Task {
  readonly info: TaskInfo;
  readonly #connection: Connection;

  constructor(connection: Connection, info: TaskInfo) {
    this.#connection = connection;
    this.info = info;
  }

  /** Lets the worker forget it. */
  async close(): Promise<void> {
    await this.#connection.call("task.unload", { task: this.info.task });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function loadTask(
  connection: Connection,
  model: string,
  path: string,
  { format, shots = 0, shotsFile, limit, bos = "auto", ...call }: LoadTaskOptions,
): Promise<Task> {
  const params = {
    model,
    path: resolve(path),
    format: toFormat(format),
    shots,
    shotsFile: shotsFile === undefined ? null : resolve(shotsFile),
    limit: limit ?? null,
    bos,
  };
  return new Task(connection, (await connection.call("task.load", params, call)).result);
}

function toFormat(format: LoadTaskOptions["format"]): Params<"task.load">["format"] {
  if (format === undefined) return { kind: "rows" };
  if (typeof format === "string") return { kind: "named", name: format };
  const { prompt, choices, answer, group, description = "", delimiter = " ", separator = "\n\n" } = format;
  return {
    kind: "template",
    prompt,
    choices:
      typeof choices === "string" ? { kind: "field", name: choices } : { kind: "list", texts: [...choices] },
    answer,
    group: group ?? null,
    description,
    delimiter,
    separator,
  };
}
