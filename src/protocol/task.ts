import { z } from "zod";
import { bosPolicy, firstTokens, modelHandle, rowSource, taskHandle } from "./common.ts";
import { taskFormats } from "./names.ts";
import { count, digest, extending, list, named } from "./schema.ts";

const taskFormat = named("TaskFormat", z.enum(taskFormats));
/** A known format of questions. */
export type TaskFormat = (typeof taskFormats)[number];

const taskKinds = ["choices", "last-word"] as const;
/** `choices`: which of several continuations; `last-word`: whether the likeliest word is the target. */
const taskKind = named("TaskKind", z.enum(taskKinds));

/** A multiple-choice task of one's own: how a row becomes a prompt with choices. */
export const taskTemplate = named(
  "TaskTemplate",
  z.strictObject({
    prompt: z
      .string()
      .describe("With the row's fields in braces: {question}, {choices[0]}; {{ and }} are braces."),
    choices: z
      .union([z.string().min(1), list(z.string().min(1), 2)])
      .describe("The field that holds the choices, or the same choices for every row."),
    answer: z.string().min(1).describe("The field with the right choice: its index from 0, or its text."),
    group: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe("The field that macro averages are taken over; examples then come from the same group."),
    description: z.string().default("").describe("In front of every prompt; may name fields."),
    delimiter: z.string().default(" ").describe("Between prompt and choice."),
    separator: z.string().default("\n\n").describe("Behind each example."),
  }),
);

/** Options of `loadTask`. */
export const taskOptions = named(
  "TaskOptions",
  z.strictObject({
    format: z
      .union([taskFormat, taskTemplate])
      .nullable()
      .default(null)
      .describe("A known format, or a template; null: what the rows name in their field `task`."),
    shots: z
      .int()
      .min(0)
      .max(5)
      .default(0)
      .describe("Examples in front of each question, of its own group where there are groups."),
    shotsFrom: rowSource
      .nullable()
      .default(null)
      .describe("Where the examples come from; null: the task's own first rows, which are not asked then."),
    limit: count(1).nullable().default(null).describe("Ask the first so many rows; null: all."),
    chatTemplate: z
      .boolean()
      .default(false)
      .describe("Ask in the model's chat template: a question is a user's turn, a choice the reply."),
    bos: bosPolicy
      .default("auto")
      .describe("BOS token at the start of each prompt; auto: where the tokeniser adds it itself."),
  }),
);

export const taskLoadParams = extending("TaskLoadParams", taskOptions, {
  model: modelHandle,
  data: rowSource,
});

export const taskInfo = named(
  "TaskInfo",
  z.object({
    kind: taskKind.describe("Which continuation of several, or which last word."),
    format: z.string().describe("A task format, or template."),
    digest: digest().describe(
      "sha256 over token ids, answers and groups: what a score depends on besides the model.",
    ),
    files: list(z.string()).describe("The files its rows were read from."),
    fileDigests: list(digest()).describe("sha256 of each file's bytes."),
    items: count(1).describe("Questions to ask."),
    rows: count(1).describe("Rows in the file, those beyond the limit included."),
    groups: list(z.string()).describe("Such as subjects; empty where the format has none."),
    shots: count().describe("Examples in front of each question."),
    limit: count(1).nullable().describe("Rows to ask at most; null: all."),
    chatTemplate: z.boolean().describe("Whether questions are asked in the model's chat template."),
    bos: bosPolicy.describe("The policy asked for."),
    bosAdded: z.boolean().describe("Whether each prompt starts with a BOS token."),
    bosInText: count().describe(
      "Items whose text begins with a BOS token of its own; no second one is put in front of it.",
    ),
    firstTokens,
    tokens: count(1).describe("Tokens the model reads, prompts that choices share counted once."),
    longest: count(1).describe("Tokens of the longest prompt with a choice."),
    singleToken: count().describe("Items whose choices are one token each, all different."),
    itemsWithShotsDropped: count().describe("Items too long for the model that lost whole examples."),
    shotsDropped: count().describe("Examples left out of such items, in all."),
    itemsCut: count().describe("Items too long even without examples, cut from the left."),
    tokensCut: count().describe("Tokens cut from such items, in all."),
  }),
);
/** What a task holds: its items, its digest and its rules. */
export type TaskInfo = z.infer<typeof taskInfo>;

export const taskLoadResult = named("TaskLoadResult", z.object({ task: taskHandle, info: taskInfo }));

export const taskUnloadParams = named("TaskUnloadParams", z.strictObject({ task: taskHandle }));
