/** lm-evaluation-harness on the model in memory: an optional extra of the worker's environment. */
import { z } from "zod";
import { subject } from "./common.ts";
import { count, digest, finite, named } from "./schema.ts";

export const harnessRunParams = named(
  "HarnessRunParams",
  z.strictObject({
    ...subject,
    tasks: z.array(z.string().min(1)).min(1).describe("Tasks, groups or tags, or patterns such as mmlu_*."),
    limit: count(1).nullable().describe("Items of each task, from the front; null: all."),
    shots: count().nullable().describe("Examples in front of each item; null: what the task says."),
    batchSize: count(1),
    includePath: z.string().min(1).nullable().describe("Absolute path of a folder with task files."),
  }),
);

export const harnessMetric = named(
  "HarnessMetric",
  z.object({
    name: z.string().describe("acc, acc_norm, exact_match, ..."),
    filter: z.string().describe("What was done to the answer first; none: nothing."),
    value: finite(),
    standardError: finite().nullable(),
    higherIsBetter: z.boolean().nullable(),
  }),
);
export type HarnessMetric = z.infer<typeof harnessMetric>;

export const harnessTask = named(
  "HarnessTask",
  z.object({
    task: z.string().describe("A task, or a group with what the harness makes of its tasks together."),
    version: z.string().nullable(),
    shots: count().nullable(),
    items: count().nullable().describe("Items asked."),
    configDigest: digest().nullable().describe("sha256 of the task's settings, as the harness reports them."),
    metrics: z.array(harnessMetric),
  }),
);
export type HarnessTask = z.infer<typeof harnessTask>;

export const harnessRunResult = named(
  "HarnessRunResult",
  z.object({
    tasks: z.array(harnessTask),
    lmEvalVersion: z.string(),
    limit: count(1).nullable(),
    batchSize: count(1),
    seconds: finite(),
  }),
);
export type HarnessResult = z.infer<typeof harnessRunResult>;
