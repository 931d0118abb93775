/** lm-evaluation-harness on the model in memory: an optional extra of the worker's environment. */
import { z } from "zod";
import { firstTokens, subject } from "./common.ts";
import { count, digest, extending, finite, list, MOST_AT_A_TIME, named, path, upTo } from "./schema.ts";

/** Options of `lmEval`. */
export const harnessOptions = named(
  "HarnessOptions",
  z.strictObject({
    tasks: list(z.string().min(1), 1).describe(
      "Tasks, groups or tags of lm-eval, or patterns such as mmlu_*.",
    ),
    limit: count(1).nullable().default(null).describe("Items of each task, from the front; null: all."),
    shots: count()
      .nullable()
      .default(null)
      .describe("Examples in front of each item; null: what the task says; a task that fixes 0 keeps it."),
    chatTemplate: z
      .boolean()
      .default(false)
      .describe("Ask in the model's chat template, examples as turns: the harness's apply_chat_template."),
    batchSize: upTo(MOST_AT_A_TIME).default(1).describe("Items at a time."),
    includePath: path().nullable().default(null).describe("A folder with task files (.yaml) of your own."),
  }),
);

export const harnessRunParams = extending("HarnessRunParams", harnessOptions, subject);

const harnessMetric = named(
  "HarnessMetric",
  z.object({
    name: z.string().describe("acc, acc_norm, exact_match, ..."),
    filter: z.string().describe("What was done to the answer first; none: nothing."),
    value: finite().describe("The metric's value."),
    standardError: finite().nullable().describe("Of the value; null where the harness gives none."),
    higherIsBetter: z
      .boolean()
      .nullable()
      .describe("Whether more of it is better; null where the task does not say."),
  }),
);
/** A metric that lm-evaluation-harness gave, with its standard error. */
export type HarnessMetric = z.infer<typeof harnessMetric>;

const harnessTask = named(
  "HarnessTask",
  z.object({
    task: z.string().describe("A task, or a group with what the harness makes of its tasks together."),
    version: z.string().nullable().describe("The task's version in lm-eval; null for a group."),
    shots: count().nullable().describe("Examples in front of each item; null for a group."),
    items: count().nullable().describe("Items asked."),
    configDigest: digest().nullable().describe("sha256 of the task's settings, as the harness reports them."),
    metrics: list(harnessMetric).describe("Its scores."),
  }),
);
/** A task of lm-evaluation-harness, with its version and its metrics. */
export type HarnessTask = z.infer<typeof harnessTask>;

export const harnessRunResult = named(
  "HarnessRunResult",
  z.object({
    tasks: list(harnessTask).describe("One entry per task."),
    bosInText: z.boolean().describe("Whether texts among the requests begin with a BOS token of their own."),
    firstTokens,
    lmEvalVersion: z.string().describe("The version of lm-eval."),
    limit: count(1).nullable().describe("Items of each task at most; null: all."),
    chatTemplate: z.boolean().describe("Whether it asked in the model's chat template."),
    batchSize: count(1).describe("Items at a time."),
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What lm-evaluation-harness gave, task by task. */
export type HarnessResult = z.infer<typeof harnessRunResult>;
