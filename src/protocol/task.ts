import { z } from "zod";
import { bosPolicy, modelHandle, taskHandle } from "./common.ts";
import { count, digest, named } from "./schema.ts";

export const taskFormats = [
  "mmlu",
  "arc_easy",
  "arc_challenge",
  "openbookqa",
  "piqa",
  "boolq",
  "hellaswag",
  "winogrande",
  "lambada",
] as const;
/** Tasks whose rows and prompts are known: docs/tasks.md. */
export const taskFormat = named("TaskFormat", z.enum(taskFormats));
export type TaskFormat = (typeof taskFormats)[number];

export const taskKinds = ["choices", "last-word"] as const;
/** `choices`: which of several continuations; `last-word`: whether the likeliest word is the target. */
export const taskKind = named("TaskKind", z.enum(taskKinds));

/** What the rows themselves name in their field `task`. */
export const rowsFormat = named("RowsFormat", z.strictObject({ kind: z.literal("rows") }));
export const namedFormat = named(
  "NamedFormat",
  z.strictObject({ kind: z.literal("named"), name: taskFormat }),
);
export const choicesField = named(
  "ChoicesField",
  z.strictObject({ kind: z.literal("field"), name: z.string().min(1) }),
);
export const choicesList = named(
  "ChoicesList",
  z.strictObject({ kind: z.literal("list"), texts: z.array(z.string().min(1)).min(2) }),
);
export const choicesSource = named(
  "ChoicesSource",
  z.discriminatedUnion("kind", [choicesField, choicesList]),
);
export const templateFormat = named(
  "TemplateFormat",
  z.strictObject({
    kind: z.literal("template"),
    prompt: z.string().describe("With fields of the row in braces: {question}, {choices[0]}."),
    choices: choicesSource,
    answer: z.string().min(1).describe("The field with the right choice: its index from 0, or its text."),
    group: z.string().min(1).nullable().describe("The field that macro averages are taken over."),
    description: z.string().describe("In front of every prompt; may name fields."),
    delimiter: z.string().describe("Between prompt and choice."),
    separator: z.string().describe("Behind each few-shot example."),
  }),
);
export const formatSource = named(
  "FormatSource",
  z.discriminatedUnion("kind", [rowsFormat, namedFormat, templateFormat]),
);

export const taskLoadParams = named(
  "TaskLoadParams",
  z.strictObject({
    model: modelHandle,
    path: z.string().min(1).describe("Absolute path of a .jsonl or .jsonl.gz file, one question a line."),
    format: formatSource,
    shots: z.int().min(0).max(5).describe("Examples in front of each question."),
    shotsFile: z.string().min(1).nullable().describe("Absolute path of the file they come from."),
    limit: count(1).nullable().describe("Take the first so many rows; null: all."),
    bos: bosPolicy,
  }),
);

export const taskInfo = named(
  "TaskInfo",
  z.object({
    task: taskHandle,
    kind: taskKind,
    format: z.string().describe("A task format, or template."),
    digest: digest().describe(
      "sha256 over token ids, answers and groups: what a score hangs on besides the model.",
    ),
    files: z.array(z.string()),
    fileDigests: z.array(digest()).describe("sha256 of each file's bytes."),
    items: count(1),
    rows: count(1).describe("Rows in the file, those beyond the limit included."),
    groups: z.array(z.string()).describe("Such as subjects; empty where the format has none."),
    shots: count(),
    limit: count(1).nullable(),
    bos: bosPolicy,
    bosAdded: z.boolean().describe("Whether each prompt starts with a BOS token."),
    tokens: count(1).describe("Tokens the model reads, prompts that choices share counted once."),
    longest: count(1).describe("Tokens of the longest prompt with a choice."),
    singleToken: count().describe("Items whose choices are one token each, all different."),
    itemsWithShotsDropped: count().describe("Items too long for the model that lost whole examples."),
    shotsDropped: count(),
    itemsCut: count().describe("Items too long even without examples, cut from the left."),
    tokensCut: count(),
  }),
);
export type TaskInfo = z.infer<typeof taskInfo>;

export const taskUnloadParams = named("TaskUnloadParams", z.strictObject({ task: taskHandle }));
