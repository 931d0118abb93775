import { z } from "zod";
import { modelHandle, subject } from "./common.ts";
import { finishReason } from "./generation.ts";
import { knownItems } from "./item-values.ts";
import { count, digest, finite, handle, named } from "./schema.ts";

export const generationTaskHandle = named("GenerationTaskHandle", handle("generation-task"));

export const generationScores = ["exact", "number"] as const;
/** `exact`: the text is the target; `number`: the same number is found in both. */
export const generationScoreRule = named("GenerationScoreRule", z.enum(generationScores));
export type GenerationScoreRule = (typeof generationScores)[number];

export const generationLoadTaskParams = named(
  "GenerationLoadTaskParams",
  z.strictObject({
    model: modelHandle,
    paths: z.array(z.string().min(1)).min(1).describe("Absolute paths of .jsonl or .jsonl.gz files."),
    prompt: z.string().min(1).describe("Template with {field} where a record's field goes."),
    target: z.string().min(1).describe("The field that holds the right answer."),
    score: generationScoreRule,
    shots: count(),
    shotPaths: z.array(z.string().min(1)).describe("None: the examples are the task's first items."),
    answerPrefix: z.string().describe("Stands between an example's prompt and its target."),
    separator: z.string().describe("Stands between examples."),
    items: count(1).nullable().describe("How many to take from the front; null: all there are."),
  }),
);

export const generationTaskInfo = named(
  "GenerationTaskInfo",
  z.object({
    task: generationTaskHandle,
    digest: digest().describe("sha256 over prompts and targets, whatever files they came in."),
    files: z.array(z.string()),
    items: count(1),
    score: generationScoreRule,
    shots: count(),
    separator: z.string(),
    firstPrompt: z.string().describe("As the model gets it."),
    firstTarget: z.string(),
  }),
);
export type GenerationTaskInfo = z.infer<typeof generationTaskInfo>;

export const generationUnloadTaskParams = named(
  "GenerationUnloadTaskParams",
  z.strictObject({ task: generationTaskHandle }),
);

export const generationSolveParams = named(
  "GenerationSolveParams",
  z.strictObject({
    ...subject,
    task: generationTaskHandle,
    maxNewTokens: count(1),
    stop: z.array(z.string().min(1)).nullable().describe("Null: what stands between the task's examples."),
    batchSize: count(1),
    chat: z.boolean(),
    answers: z.boolean().describe("Whether the result lists every item."),
    known: knownItems,
  }),
);

export const generationAnswer = named(
  "GenerationAnswer",
  z.object({
    place: z.string().describe("File and line of the item."),
    text: z.string().describe("What was written."),
    target: z.string(),
    number: z.string().nullable().describe("The number found in the text, where numbers are compared."),
    correct: z.boolean(),
    tokens: count(),
    finish: finishReason,
  }),
);
export type GenerationAnswer = z.infer<typeof generationAnswer>;

export const generationSolveResult = named(
  "GenerationSolveResult",
  z.object({
    accuracy: finite(),
    standardError: finite().nullable().describe("Over items; null for a single one."),
    correct: count(),
    items: count(1),
    withoutNumber: count().describe("Answers in which no number was found; wrong, all of them."),
    cutShort: count().describe("Answers that ended because maxNewTokens was reached."),
    tokens: count().describe("Written in all, ending tokens included."),
    taskDigest: digest(),
    score: generationScoreRule,
    maxNewTokens: count(1),
    stop: z.array(z.string()),
    batchSize: count(1),
    answers: z.array(generationAnswer).nullable(),
    seconds: finite(),
  }),
);
export type GenerationScore = z.infer<typeof generationSolveResult>;
