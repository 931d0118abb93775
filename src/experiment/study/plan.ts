/** What a study does, as data: what is ranked how, removed, repaired and measured. docs/studies.md. */
import { z } from "zod";
import { costNames, influenceScoreNames } from "../../model/search/names.ts";
import { recipeNames, startRecipes } from "../../model/search/recipes.ts";
import { fileSource, textSource, unitKind, unitName } from "../../protocol/common.ts";
import { corpusOptions } from "../../protocol/corpus.ts";
import { perplexityOptions } from "../../protocol/evaluation.ts";
import { exportFormats } from "../../protocol/export.ts";
import { generateOptions } from "../../protocol/generation.ts";
import { generationTaskOptions, solveOptions } from "../../protocol/generation-task.ts";
import { harnessOptions } from "../../protocol/harness.ts";
import { modelOptions } from "../../protocol/model.ts";
import { precisions } from "../../protocol/names.ts";
import { policy } from "../../protocol/policies.ts";
import { profileOptions } from "../../protocol/profiling.ts";
import { repairMethod } from "../../protocol/repair.ts";
import { taskOptions } from "../../protocol/task.ts";
import { strategies } from "../../selection/strategy-choice.ts";
import { methods } from "../../shapley/estimator.ts";
import { probeNames } from "../probes.ts";

const whole = (least: number) => z.int().min(least);
const name = z.string().min(1).optional().describe("What it is called; default: by what it says.");

const textData = z
  .union([z.string().min(1), fileSource.omit({ kind: true }), textSource.omit({ kind: true })])
  .describe("A .txt or .jsonl file, { files: [...] } or { texts: [...] }.");
const rows = z
  .union([
    z.string().min(1),
    z.array(z.string().min(1)).min(1),
    z.strictObject({ rows: z.array(z.record(z.string(), z.unknown())).min(1) }),
  ])
  .describe("A .jsonl file, several, or { rows: [...] }.");
const shotsFrom = rows.optional().describe("Where the examples come from; default: the first rows.");

export const modelEntry = z
  .union([
    z.string().min(1),
    modelOptions.omit({ trustRemoteCode: true }).extend({
      name,
      source: z.string().min(1).describe("The bundled name, a folder, a .gguf file or a hub id."),
    }),
  ])
  .describe("The model to take apart.");

export const calibrationEntry = corpusOptions
  .omit({ skip: true, numbers: true })
  .extend({
    name,
    data: textData,
    sequences: whole(1).default(32).describe("Sequences that are measured and fitted on."),
    choose: z
      .array(whole(1))
      .min(1)
      .default([2, 8])
      .describe("Sequences beside them that searches decide on, growing."),
  })
  .describe("The text that units are ranked on and repairs are fitted to.");

const units = z
  .union([unitKind, z.array(unitKind).min(1)])
  .default("block")
  .describe("Which units may go: one kind, or several that are ranked together.");
const candidates = whole(1).optional().describe("Only so many, those of least cosine; default: all.");
const precision = z
  .enum(precisions)
  .optional()
  .describe("screen: losses from faster, coarser products (docs/engine.md); default: exact.");
const decidedBy = z
  .strictObject({ ...taskOptions.omit({ shotsFrom: true }).shape, data: rows, shotsFrom })
  .optional()
  .describe("Questions that decide by accuracy; default: the calibration's text, by loss.");

const byInfluence = z
  .strictObject({
    by: z.literal("influence"),
    name,
    units,
    metric: z.enum(influenceScoreNames).default("cosine").describe("docs/methods.md says what each is."),
    of: z.enum(["own", "block"]).default("own").describe("block: a sublayer has its block's score."),
  })
  .describe("By what each unit does to the residual stream, or by gradients.");
const byLeaveOneOut = z
  .strictObject({ by: z.literal("leave-one-out"), name, units, candidates, on: decidedBy, precision })
  .describe("By what the model loses without each unit alone.");
const byValues = z
  .strictObject({
    by: z.literal("values"),
    name,
    units,
    candidates,
    on: decidedBy,
    target: z
      .union([z.literal("shapley"), z.strictObject({ horizon: whole(1) })])
      .optional()
      .describe("Which average of marginal contributions; default: a horizon of 0.4 of the players."),
    method: z.enum(methods).default("regression").describe("The estimator."),
    evaluations: whole(1).optional().describe("Subnetworks evaluated at most; default: 20 per player."),
    interactions: z.boolean().default(false).describe("Also estimate what pairs do for each other."),
    precision,
  })
  .describe("By Shapley or horizon values.");
const bySearch = z
  .strictObject({
    by: z.literal("search"),
    name,
    recipe: z.enum(recipeNames).optional().describe("A published way to choose, in place of a strategy."),
    strategy: z
      .enum([...strategies, "learned-gates"])
      .optional()
      .describe("Default: greedy."),
    units,
    candidates,
    on: decidedBy,
    scores: z
      .strictObject({ metric: z.enum(influenceScoreNames), of: z.enum(["own", "block"]).default("own") })
      .optional()
      .describe("What lowest, iterative and knapsack go by; default: leave-one-out."),
    protect: z
      .union([z.literal("ends"), z.array(unitName)])
      .optional()
      .describe("Units that stay."),
    repair: z
      .strictObject({ method: z.literal("low-rank"), rank: whole(1).default(32) })
      .optional()
      .describe("Score every set with this repair in place."),
    evaluations: whole(1).optional().describe("Sets evaluated at most, for strategies that need a limit."),
    start: z
      .array(z.enum(startRecipes))
      .optional()
      .describe("Recipes whose choices beam, evolutionary, policy-gradient and surrogate start from."),
    precision,
  })
  .describe("By looking at sets of units; each count is a search of its own.");
const byOrder = z
  .strictObject({
    by: z.literal("order"),
    name,
    order: z
      .union([z.array(unitName).min(1), z.string().min(1)])
      .describe("Units, first to go first; or a .json file with them, or with scores by unit."),
  })
  .describe("By an order made elsewhere.");

export const rankingEntry = z.discriminatedUnion("by", [
  byInfluence,
  byLeaveOneOut,
  byValues,
  bySearch,
  byOrder,
]);

/** Of all there is, what something is done for. */
const where = z
  .strictObject({
    rankings: z.array(z.string()).min(1).optional().describe("By name; default: all."),
    counts: z.array(whole(0)).min(1).optional().describe("Numbers of removed units; default: all."),
    repairs: z.array(z.string()).min(1).optional().describe('By name, "none" being none; default: all.'),
  })
  .optional()
  .describe("For which of all subnetworks; default: for all.");
export type Where = z.output<typeof where>;

export const repairEntry = z
  .strictObject({
    name,
    steps: z.array(repairMethod).min(1).describe("Applied in turn, each on top of the one before."),
    where,
  })
  .describe("What is put in place of the removed units; the model without any is always there.");

const followed = policy.optional().describe("What subnetworks follow (docs/policies.md); default: nothing.");
const controls = z
  .boolean()
  .optional()
  .describe("Of feed-forward-skipping: also a static mask, and random skips, of the share that it skips.");

const perplexity = perplexityOptions
  .omit({ batchSize: true, items: true })
  .extend({ kind: z.literal("perplexity"), name, data: textData, policy: followed, controls, where })
  .describe("Perplexity on a text.");
const questions = z
  .strictObject({
    kind: z.literal("questions"),
    name,
    data: rows,
    ...taskOptions.omit({ shotsFrom: true }).shape,
    shotsFrom,
    policy: followed,
    where,
  })
  .describe("Multiple choice, or the last word: accuracy.");
const written = z
  .strictObject({
    kind: z.literal("written"),
    name,
    data: rows,
    ...generationTaskOptions.omit({ shotsFrom: true }).shape,
    ...solveOptions.omit({ items: true, batchSize: true }).shape,
    shotsFrom,
    policy: followed,
    where,
  })
  .describe("Questions whose answers are written.");
const probe = z
  .strictObject({
    kind: z.literal("probe"),
    name,
    probe: z.enum(probeNames).describe("Which of the tasks that are made from a seed."),
    items: whole(1).max(1000).default(100).describe("Questions."),
    shots: whole(0).max(100).default(5).describe("Worked examples in front of each."),
    seed: whole(0).default(0).describe("Of the questions."),
    maxNewTokens: whole(1).default(16).describe("Tokens an answer at most."),
    policy: followed,
    where,
  })
  .describe("A small written task that needs no data.");
const lmEval = harnessOptions
  .extend({ kind: z.literal("lm-eval"), name, where })
  .describe("Tasks of lm-evaluation-harness: depthkit setup --with lm-eval.");
const profile = profileOptions
  .extend({ kind: z.literal("profile"), name, policy: followed, where })
  .describe("Speed and memory on this device, against the whole model.");

export const evaluationEntry = z.discriminatedUnion("kind", [
  perplexity,
  questions,
  written,
  probe,
  lmEval,
  profile,
]);

const removals = z
  .union([
    z.array(whole(1)).min(1),
    z.strictObject({
      shares: z.array(z.number().gt(0).lt(1)).min(1),
      of: z.enum(costNames).default("parameters").describe("At least this share of what the model has."),
    }),
  ])
  .describe("How many units go: numbers, or { shares: [0.1, 0.2], of: parameters }.");

const texts = z
  .strictObject({ prompts: z.array(z.string().min(1)).min(1), where, ...generateOptions.shape })
  .describe("What subnetworks continue, to be read.");

const about = {
  title: z.string().min(1).optional().describe("What the report is called."),
  claims: z
    .enum(["depth-pruning"])
    .optional()
    .describe("Whose claims the report puts to the test: those of arXiv 2407.16286."),
  removals,
  exportable: z
    .enum(exportFormats)
    .optional()
    .describe("A format that every subnetwork must go into: what it does not hold is never chosen."),
  draws: whole(1).default(1).describe("How often everything is done, each time on other text."),
  seed: whole(0).default(0).describe("Of the first draw, each next one having one more."),
  texts: texts.optional(),
};

/** As it is written; any option in a model, a calibration or an entry of a list may be `{ each: [...] }`. */
export const planSchema = z.strictObject({
  model: modelEntry,
  calibration: calibrationEntry,
  rankings: z.array(rankingEntry).min(1).describe("Ways to say what goes first."),
  repairs: z.array(z.union([repairMethod, repairEntry])).default([]),
  evaluations: z.array(evaluationEntry).min(1).describe("What subnetworks are measured on."),
  ...about,
});

const called = { name: z.string().describe("What it is called.") };
/** Grids spelled out, defaults filled in, everything named. */
export const settledPlanSchema = z.object({
  models: z.array(modelEntry.options[1].extend(called)),
  calibrations: z.array(calibrationEntry.extend(called)),
  rankings: z.array(
    z.discriminatedUnion("by", [
      byInfluence.extend(called),
      byLeaveOneOut.extend(called),
      byValues.extend(called),
      bySearch.extend(called),
      byOrder.extend({
        ...called,
        order: z
          .union([z.array(unitName), z.record(z.string(), z.number())])
          .describe("As its file had it: units, or scores by unit."),
      }),
    ]),
  ),
  repairs: z.array(repairEntry.extend(called)),
  evaluations: z.array(
    z.discriminatedUnion("kind", [
      perplexity.extend(called),
      questions.extend(called),
      written.extend(called),
      probe.extend(called),
      lmEval.extend(called),
      profile.extend(called),
    ]),
  ),
  ...about,
});
export type SettledPlan = z.output<typeof settledPlanSchema>;
export type SettledModel = SettledPlan["models"][number];
export type SettledCalibration = SettledPlan["calibrations"][number];
export type SettledRanking = SettledPlan["rankings"][number];
export type SettledRepair = SettledPlan["repairs"][number];
export type SettledEvaluation = SettledPlan["evaluations"][number];

/** Readonly all through, so that a plan may be `as const`. */
type Fixed<T> = T extends readonly (infer E)[]
  ? readonly Fixed<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Fixed<T[K]> }
    : T;
/** An option, or one of several: everything is done for each. */
type Grid<T> = T | { readonly each: readonly T[] };
type Grids<T> = T extends object ? { readonly [K in keyof T]: Grid<T[K]> } : T;
type PlanInput = Fixed<z.input<typeof planSchema>>;
type Entry<K extends "rankings" | "repairs" | "evaluations"> = NonNullable<PlanInput[K]>[number];

/** What a study does, as data; what is left out has its default. */
export interface Plan
  extends Omit<PlanInput, "model" | "calibration" | "rankings" | "repairs" | "evaluations"> {
  readonly model: Grid<PlanInput["model"]> | Grids<Exclude<PlanInput["model"], string>>;
  readonly calibration: Grids<PlanInput["calibration"]>;
  readonly rankings: readonly Grids<Entry<"rankings">>[];
  readonly repairs?: readonly Grids<Entry<"repairs">>[] | undefined;
  readonly evaluations: readonly Grids<Entry<"evaluations">>[];
}
