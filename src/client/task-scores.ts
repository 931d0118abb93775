import type { Agreement, ChoicesResult, LastWordResult } from "../protocol/evaluation.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import type { Subject } from "./subject.ts";
import type { Task } from "./task.ts";

export interface LastWordOptions extends CallOptions {
  /** Items a batch; those that share their few-shot examples count as one. Default: as many as pay and fit. */
  batchSize?: number;
  /** Also give every item. Default false. */
  items?: boolean;
}

export interface ChoicesOptions extends LastWordOptions {
  /** Score the whole model too, and say where the two choose alike. Default false. */
  compareToDense?: boolean;
}

/** One question: the log-likelihood of each of its choices, in nats, and which of them is taken. */
export interface ChoiceItem {
  logLikelihoods: number[];
  chosen: number;
  answer: number;
}

export interface LastWordItem {
  /** Of the target, in nats. */
  logLikelihood: number;
  /** Whether every token of the target is the likeliest. */
  right: boolean;
}

/** What a subnetwork gets right in a multiple-choice task: docs/tasks.md says what each number is. */
export interface ChoiceScores extends Omit<ChoicesResult, "perItem" | "comparison"> {
  /** Where `compareToDense` asked for it. */
  comparison?: Agreement;
  /** Where `items` asked for them, in the task's order. */
  perItem?: ChoiceItem[];
}

export interface LastWordScores extends Omit<LastWordResult, "perItem"> {
  perItem?: LastWordItem[];
}

export async function scoreChoices(
  connection: Connection,
  subject: Subject,
  task: Task,
  { batchSize, items = false, compareToDense = false, ...call }: ChoicesOptions,
  log?: ItemLog,
): Promise<ChoiceScores> {
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const params = {
    ...subject,
    task: task.info.task,
    batchSize: batchSize ?? null,
    items,
    compareToDense,
    known,
  };
  const { result, tensor } = await connection.call("evaluation.choices", params, { ...call, ...resumed });
  const { comparison, perItem, ...scores } = result;
  return {
    ...scores,
    ...(comparison === null ? {} : { comparison }),
    ...(perItem === null
      ? {}
      : {
          perItem: choiceItems({
            logLikelihoods: tensor(perItem.logLikelihoods).data,
            ends: tensor(perItem.ends).data,
            chosen: tensor(perItem.chosen).data,
            answers: tensor(perItem.answers).data,
          }),
        }),
  };
}

export async function scoreLastWord(
  connection: Connection,
  subject: Subject,
  task: Task,
  { batchSize, items = false, ...call }: LastWordOptions,
  log?: ItemLog,
): Promise<LastWordScores> {
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const params = { ...subject, task: task.info.task, batchSize: batchSize ?? null, items, known };
  const { result, tensor } = await connection.call("evaluation.lastWord", params, { ...call, ...resumed });
  const { perItem, ...scores } = result;
  if (perItem === null) return scores;
  const right = tensor(perItem.right).data;
  const logLikelihoods = Array.from(tensor(perItem.logLikelihoods).data);
  return {
    ...scores,
    perItem: logLikelihoods.map((logLikelihood, item) => ({ logLikelihood, right: right[item] === 1 })),
  };
}

type Numbers = ArrayLike<number>;

function choiceItems(found: Record<"logLikelihoods" | "ends" | "chosen" | "answers", Numbers>): ChoiceItem[] {
  const all = Array.from(found.logLikelihoods);
  return Array.from(found.ends, (end, item) => ({
    logLikelihoods: all.slice(found.ends[item - 1] ?? 0, end),
    chosen: found.chosen[item] ?? 0,
    answer: found.answers[item] ?? 0,
  }));
}
