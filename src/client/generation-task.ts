import { resolve } from "node:path";
import type {
  GenerationScore,
  GenerationScoreRule,
  GenerationTaskInfo,
} from "../protocol/generation-task.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import type { Subject } from "./subject.ts";

export interface LoadGenerationTaskOptions extends CallOptions {
  /** An item's prompt, with `{field}` where a field goes: `Question: {question}\nAnswer:`. */
  prompt: string;
  /** The field that holds the right answer. Default `answer`. */
  target?: string;
  /**
   * `exact` (default): the text written is the target, white space at the ends aside. `number`: the number
   * behind `####`, or else the last number, is the same in both.
   */
  score?: GenerationScoreRule;
  /** Worked examples in front of every item. Default 0. */
  shots?: number;
  /** Where the examples come from. Default: the task's own first items, which then are not asked. */
  shotsFrom?: string | readonly string[];
  /** Stands between an example's prompt and its answer. Default a space. */
  answerPrefix?: string;
  /** Stands between examples, and ends an answer unless `stop` says otherwise. Default a blank line. */
  separator?: string;
  /** How many to take from the front. Default: all there are. */
  items?: number;
}

export interface SolveOptions extends CallOptions {
  /** Default 256. */
  maxNewTokens?: number;
  /** Strings that end an answer. Default: the task's separator. */
  stop?: readonly string[];
  /** Items at a time. Default 8. */
  batchSize?: number;
  /** Wrap each prompt as a user's turn in the model's chat template. Default false. */
  chat?: boolean;
  /** List every item with what was written. Default false. */
  answers?: boolean;
}

/** Questions whose answers are written, held by the worker. */
export class GenerationTask {
  readonly info: GenerationTaskInfo;
  readonly #connection: Connection;

  constructor(connection: Connection, info: GenerationTaskInfo) {
    this.#connection = connection;
    this.info = info;
  }

  /** Lets the worker forget it. */
  async close(): Promise<void> {
    await this.#connection.call("generation.unloadTask", { task: this.info.task });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function loadGenerationTask(
  connection: Connection,
  model: string,
  files: string | readonly string[],
  {
    prompt,
    target = "answer",
    score = "exact",
    shots = 0,
    shotsFrom = [],
    answerPrefix = " ",
    separator = "\n\n",
    items,
    ...call
  }: LoadGenerationTaskOptions,
): Promise<GenerationTask> {
  const params = {
    model,
    paths: paths(files),
    prompt,
    target,
    score,
    shots,
    shotPaths: paths(shotsFrom),
    answerPrefix,
    separator,
    items: items ?? null,
  };
  return new GenerationTask(connection, (await connection.call("generation.loadTask", params, call)).result);
}

/** How a call lets the model answer, defaults filled in. */
export function solveParams({
  maxNewTokens = 256,
  stop,
  batchSize = 8,
  chat = false,
  answers = false,
}: SolveOptions) {
  return { maxNewTokens, stop: stop === undefined ? null : [...stop], batchSize, chat, answers };
}

export async function solveGenerationTask(
  connection: Connection,
  subject: Subject,
  task: GenerationTask,
  options: SolveOptions,
  log?: ItemLog,
): Promise<GenerationScore> {
  const { signal, onProgress } = options;
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const params = { ...subject, task: task.info.task, ...solveParams(options), known };
  return (await connection.call("generation.solve", params, { signal, onProgress, ...resumed })).result;
}

function paths(files: string | readonly string[]): string[] {
  return (typeof files === "string" ? [files] : files).map((path) => resolve(path));
}
