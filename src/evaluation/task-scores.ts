import type { z } from "zod";
import type {
  Agreement,
  ChoicesResult,
  choicesOptions,
  LastWordResult,
  lastWordOptions,
} from "../protocol/evaluation.ts";
import type { TaskInfo } from "../protocol/task.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { heldBy } from "../rpc/handle.ts";
import { type ItemLog, unlogged } from "./item-log.ts";
import { followingParams, type Subject } from "./subject.ts";

/** A multiple-choice or last-word task that a worker holds. */
export interface HeldTask {
  on(connection: Executor): string;
  readonly info: TaskInfo;
}

export interface ChoicesOptions extends CallOptions, z.input<typeof choicesOptions> {}
export interface LastWordOptions extends CallOptions, z.input<typeof lastWordOptions> {}

/** One question: the log-likelihood of each of its choices, in nats, and which of them is taken. */
export interface ChoiceItem {
  /** Of each choice, in nats. */
  logLikelihoods: number[];
  /** The choice of the highest, from 0. */
  chosen: number;
  /** The choice of the highest a character, and a byte, of the choice. */
  chosenNormChars: number;
  chosenNormBytes: number;
  /** The right choice, from 0. */
  answer: number;
}

/** How the model did on one text's last word. */
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

/** How often the last word is the likeliest. */
export interface LastWordScores extends Omit<LastWordResult, "perItem"> {
  /** Where `items` asked for them, in the task's order. */
  perItem?: LastWordItem[];
}

export async function scoreChoices(
  on: Subject,
  task: HeldTask,
  options: ChoicesOptions,
  log?: ItemLog,
): Promise<ChoiceScores> {
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const held = heldBy(on.connection, "evaluation.choices", "task", task);
  const subject = { ...followingParams(on), task: held, known };
  const { result, tensor } = await on.connection.request("evaluation.choices", subject, options, resumed);
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
            chosenNormChars: tensor(perItem.chosenNormChars).data,
            chosenNormBytes: tensor(perItem.chosenNormBytes).data,
            answers: tensor(perItem.answers).data,
          }),
        }),
  };
}

export async function scoreLastWord(
  on: Subject,
  task: HeldTask,
  options: LastWordOptions,
  log?: ItemLog,
): Promise<LastWordScores> {
  const { known, ...resumed } = log?.resume() ?? unlogged;
  const held = heldBy(on.connection, "evaluation.lastWord", "task", task);
  const subject = { ...followingParams(on), task: held, known };
  const { result, tensor } = await on.connection.request("evaluation.lastWord", subject, options, resumed);
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

type ChoiceNumbers = "logLikelihoods" | "ends" | "chosen" | "chosenNormChars" | "chosenNormBytes" | "answers";

function choiceItems(found: Record<ChoiceNumbers, Numbers>): ChoiceItem[] {
  const all = Array.from(found.logLikelihoods);
  return Array.from(found.ends, (end, item) => ({
    logLikelihoods: all.slice(found.ends[item - 1] ?? 0, end),
    chosen: found.chosen[item] ?? 0,
    chosenNormChars: found.chosenNormChars[item] ?? 0,
    chosenNormBytes: found.chosenNormBytes[item] ?? 0,
    answer: found.answers[item] ?? 0,
  }));
}
