import { z } from "zod";
import { firstTokens, modelHandle, rowSource, subject } from "./common.ts";
import { finishReason, sampling } from "./generation.ts";
import { knownItems } from "./item-values.ts";
import { followed, ownSkips } from "./policies.ts";
import { count, digest, extending, finite, handle, list, MOST_AT_A_TIME, named, upTo } from "./schema.ts";

const generationTaskHandle = named("GenerationTaskHandle", handle("generation-task"));

const generationScores = ["exact", "number", "rouge-l"] as const;
/**
 * `exact`: the text is the target; `number`: the same number is found in both; `rouge-l`: how much of the
 * target's words the text has in their order.
 */
const generationScoreRule = named("GenerationScoreRule", z.enum(generationScores));
/** The rule by which a written answer counts as right. */
export type GenerationScoreRule = (typeof generationScores)[number];

/** Options of `loadGenerationTask`. */
export const generationTaskOptions = named(
  "GenerationTaskOptions",
  z.strictObject({
    prompt: z
      .string()
      .min(1)
      .describe("An item's prompt, with fields of the row in braces: Question: {question}\\nAnswer:."),
    target: z
      .string()
      .min(1)
      .default("answer")
      .describe("The field that holds the right answer, or a list of them: the best of them counts."),
    score: generationScoreRule
      .default("exact")
      .describe(
        "exact: the same text, white space at the ends aside; number: the same number in both; rouge-l: the " +
          "longest run of words in common, gaps allowed.",
      ),
    shots: count().default(0).describe("Worked examples in front of every item."),
    shotsFrom: rowSource
      .nullable()
      .default(null)
      .describe("Where the examples come from; null: the task's own first rows, which are not asked then."),
    answerPrefix: z.string().default(" ").describe("Stands between an example's prompt and its target."),
    separator: z
      .string()
      .default("\n\n")
      .describe("Stands between examples, and ends an answer unless `stop` says otherwise."),
    limit: count(1).nullable().default(null).describe("Ask the first so many rows; null: all."),
  }),
);

export const generationLoadTaskParams = extending("GenerationLoadTaskParams", generationTaskOptions, {
  model: modelHandle,
  data: rowSource,
});

export const generationTaskInfo = named(
  "GenerationTaskInfo",
  z.object({
    digest: digest().describe("sha256 over prompts and targets, whatever files they came in."),
    files: list(z.string()).describe("The files its rows were read from."),
    items: count(1).describe("Items to answer."),
    score: generationScoreRule.describe("How an answer is compared with its target."),
    shots: count().describe("Worked examples in front of every item."),
    separator: z.string().describe("What stands between examples, and ends an answer."),
    firstPrompt: z.string().describe("As the model gets it."),
    firstTarget: z.string().describe("The first item's right answer, the first of several."),
  }),
);
/** What a task of written answers holds. */
export type GenerationTaskInfo = z.infer<typeof generationTaskInfo>;

export const generationLoadTaskResult = named(
  "GenerationLoadTaskResult",
  z.object({ task: generationTaskHandle, info: generationTaskInfo }),
);

export const generationUnloadTaskParams = named(
  "GenerationUnloadTaskParams",
  z.strictObject({ task: generationTaskHandle }),
);

/** Options of `solve`. */
export const solveOptions = named(
  "SolveOptions",
  z.strictObject({
    maxNewTokens: count(1).default(256).describe("Tokens an answer at most."),
    stop: list(z.string().min(1))
      .nullable()
      .default(null)
      .describe("Strings that end an answer; null: what stands between the task's examples."),
    batchSize: upTo(MOST_AT_A_TIME).default(8).describe("Items at a time."),
    chat: z
      .boolean()
      .default(false)
      .describe("Wrap each prompt as a user's turn in the model's chat template."),
    samples: upTo(MOST_AT_A_TIME)
      .default(1)
      .describe("Answers to each item, drawn one by one; several need a temperature above 0."),
    ...sampling,
    passAt: list(count(1))
      .default([])
      .describe("The k of each pass@k: how likely one of k answers is right; none above `samples`."),
    items: z.boolean().default(false).describe("Also give every item, with what was written."),
  }),
);

export const generationSolveParams = extending("GenerationSolveParams", solveOptions, {
  ...subject,
  policy: followed,
  task: generationTaskHandle,
  known: knownItems,
});

const generationAnswer = named(
  "GenerationAnswer",
  z.object({
    place: z.string().describe("File and line of the item."),
    text: z.string().describe("What was written."),
    target: z
      .string()
      .describe("The right answer; of several the one that fits the text best, the first of equal ones."),
    number: z.string().nullable().describe("The number found in the text, where numbers are compared."),
    correct: z.boolean().describe("Whether it counts as right; under rouge-l, whether it would by `exact`."),
    rougeL: finite().nullable().describe("The F-measure, where ROUGE-L is the score."),
    sample: count().describe("Which of its item's answers it is, from 0."),
    tokens: count().describe("Tokens written."),
    finish: finishReason.describe("Why it ended."),
  }),
);
/** A written answer, what was read from it, and whether it is right. */
export type GenerationAnswer = z.infer<typeof generationAnswer>;

const rougeL = named(
  "RougeL",
  z.object({
    fMeasure: finite().describe("2 P R / (P + R), averaged over items: what rouge-score calls fmeasure."),
    precision: finite().describe("Words in common over words written, averaged over items."),
    recall: finite().describe("Words in common over words of the target, averaged over items."),
    standardError: finite().nullable().describe("Of fMeasure, over items; null for a single one."),
  }),
);

const passAt = named(
  "PassAt",
  z.object({
    k: count(1).describe("Answers that are looked at."),
    value: finite().describe(
      "How likely one of k answers is right: 1 - C(n - c, k) / C(n, k) where c of n are, averaged over items.",
    ),
    standardError: finite().nullable().describe("Over items; null for a single one."),
  }),
);

export const generationSolveResult = named(
  "GenerationSolveResult",
  z.object({
    accuracy: finite().describe(
      "Share of right answers; under rouge-l, of those that are the target. Of several samples: pass@1.",
    ),
    standardError: finite().nullable().describe("Over items; null for a single one."),
    correct: count().describe("Right answers."),
    items: count(1).describe("Items answered."),
    samples: count(1).describe("Answers to each item."),
    passAt: list(passAt).describe("Each pass@k that was asked for."),
    rougeL: rougeL.nullable().describe("Where ROUGE-L is the score: of the best target of each item."),
    withoutNumber: count().describe("Answers in which no number was found; wrong, all of them."),
    cutShort: count().describe("Answers that ended because maxNewTokens was reached."),
    tokens: count().describe("Written in all, ending tokens included."),
    bosInText: count().describe("Prompts that begin with a BOS token of their own; none has a second one."),
    firstTokens,
    taskDigest: digest().describe("The task's digest."),
    score: generationScoreRule.describe("How answers were compared with their targets."),
    maxNewTokens: count(1).describe("Tokens an answer at most."),
    temperature: finite().describe("0: greedy."),
    topP: finite().describe("The probability that sampled tokens held together."),
    seed: count().describe("Of the samples."),
    stop: list(z.string()).describe("Strings that ended an answer."),
    batchSize: count(1).describe("Items at a time."),
    perItem: list(generationAnswer)
      .nullable()
      .describe("Where `items` asked for them, in the task's order, an item's samples one after the other."),
    skips: ownSkips,
    seconds: finite().describe("Seconds it took."),
  }),
);
/** How many written answers are right, with standard errors. */
export type GenerationScore = z.infer<typeof generationSolveResult>;
