/**
 * What a study leaves: one JSON document that another run of the same plan and seed equals but for `timings`.
 */
import { z } from "zod";
import { errorCodes } from "../../errors.ts";
import { costNames } from "../../model/search/names.ts";
import { unitName } from "../../protocol/common.ts";
import { corpusInfo } from "../../protocol/corpus.ts";
import { environmentReadResult } from "../../protocol/environment.ts";
import { generationGenerateResult } from "../../protocol/generation.ts";
import { modelInfo } from "../../protocol/model.ts";
import { influenceMetrics, unitKinds } from "../../protocol/names.ts";
import { repairReport } from "../../protocol/repair.ts";
import { plannedSchema } from "./cost/schema.ts";
import { settledPlanSchema } from "./plan.ts";

const table = <T extends z.ZodType>(value: T) =>
  z.record(z.enum(unitKinds), z.record(z.enum(influenceMetrics), z.array(value)));

export const influenceSchema = z.object({
  depth: z.int().describe("Blocks of the model."),
  values: table(z.number()).describe("Means over the tokens counted, by kind and metric, block by block."),
  standardErrors: table(z.number().nullable()).describe("Of these; null where a single sequence tells none."),
  angular: z
    .array(z.array(z.number()))
    .describe("Angular distance across the n blocks from block l, [n-1][l]."),
  angularTokens: z.enum(["last", "all"]).describe("Tokens of a sequence that it is averaged over."),
  skipFirstTokens: z.int().describe("Tokens at each sequence's start that were left out."),
  sequences: z.int().describe("Sequences measured on."),
  tokens: z.int().describe("Tokens counted."),
});

export const failureSchema = z
  .object({ code: z.enum(errorCodes), message: z.string() })
  .describe("Why it could not be done; the rest went on.");
export type Failure = z.output<typeof failureSchema>;

const score = z.object({
  value: z.number().describe("Low means: remove first."),
  standardError: z.number().nullable().describe("null where there is none to be told."),
  interval: z.tuple([z.number(), z.number()]).optional().describe("95%, where it was estimated."),
});

/** Estimated values, beside the scores. */
const estimated = z.object({
  method: z.string().describe("The estimator that ran."),
  target: z.union([z.literal("shapley"), z.object({ horizon: z.number() })]),
  evaluations: z.int().describe("Subnetworks evaluated."),
  trace: z
    .array(z.object({ evaluations: z.int(), standardErrors: z.array(z.number()) }))
    .describe("Standard errors on the way, in the order of the scores."),
  lowest: z
    .array(z.object({ count: z.int(), together: z.number(), each: z.record(z.string(), z.number()) }))
    .describe("Of each count, the chance of its units to be truly among the lowest, and of all together."),
  interactions: z
    .array(z.object({ units: z.array(z.string()), value: z.number(), standardError: z.number() }))
    .describe("Pairs, strongest first; empty where they were not asked for."),
});

export const rankedSchema = z.object({
  units: z.array(unitName).describe("Who could go."),
  scores: z.record(z.string(), score).nullable().describe("By unit; null for what looks at sets."),
  estimated: estimated.nullable().describe("Null for what is not estimated."),
  sets: z
    .array(z.object({ removal: z.number(), removed: z.array(unitName), error: failureSchema.nullable() }))
    .describe("What goes, by each of the plan's removals in their order, sorted by depth."),
  evaluations: z.number().describe("Sets of units that were looked at."),
  notes: z.array(z.string()).describe("What has to be known of it."),
});
export type Ranked = z.output<typeof rankedSchema>;

const condition = {
  model: z.string().describe("The model's name in the plan."),
  calibration: z.string().describe("The calibration's name in the plan."),
  draw: z.int().describe("Which draw of the text, from 0."),
};

export const fitReport = repairReport.omit({ seconds: true, peakBytes: true, training: true });
export type FitReport = z.output<typeof fitReport>;

const measured = z.object({
  value: z.number().nullable().describe("null: it is not finite."),
  standardError: z.number().nullable().describe("Over items; null where there is none to be told."),
});
export type Measured = z.output<typeof measured>;

export const outcomeSchema = z.object({
  values: z.record(z.string(), measured).describe("By measure: nats, shares, or what the name says."),
  perItem: z
    .array(z.number().nullable())
    .nullable()
    .describe("What each chunk or question has alone, by the first measure; null where it is not kept."),
});
export type Outcome = z.output<typeof outcomeSchema>;

const environmentSchema = z.object({
  node: z.string().describe("The version of Node."),
  platform: z.string().describe("Of the client: operating system and processor."),
  worker: environmentReadResult.describe("Of the worker: versions, machine, accelerators."),
});

const cost = z.partialRecord(z.enum(costNames), z.number());
export const costsSchema = z.object({ units: z.record(z.string(), cost), model: cost });
export const writtenSchema = generationGenerateResult.omit({ seconds: true, skips: true });
export type Written = z.output<typeof writtenSchema>;

/** The record of a study. */
export const recordSchema = z.object({
  recordVersion: z.literal(3).describe("2 and before knew one metric, one model and perplexity."),
  depthkitVersion: z.string().describe("The version that ran it."),
  plan: settledPlanSchema.describe("What was asked, grids spelled out, defaults filled in."),
  environment: environmentSchema.describe("With what it ran."),
  files: z.record(z.string(), z.string()).describe("sha256 of the bytes of every file that was read."),
  models: z
    .array(
      z.object({
        name: z.string().describe("In the plan."),
        info: modelInfo.omit({ loadSeconds: true }).describe("What was loaded."),
        costs: costsSchema.describe(
          "What each unit costs to store and to keep, and what the whole model does.",
        ),
      }),
    )
    .describe("The models, in the order of the plan."),
  calibrations: z
    .array(
      z.object({
        ...condition,
        measured: corpusInfo.describe("What units were measured and repairs fitted on."),
        deciding: z.array(corpusInfo).describe("What searches decided on; empty where there were none."),
      }),
    )
    .describe("Each calibration and draw, as the model read it."),
  influence: z.array(z.object({ ...condition, data: influenceSchema })).describe("Static influence."),
  rankings: z
    .array(
      rankedSchema.extend({
        ...condition,
        ranking: z.string().describe("The ranking's name in the plan."),
        error: failureSchema.nullable(),
      }),
    )
    .describe("What each ranking found; without sets where it could not be made."),
  evaluations: z
    .array(
      z.object({
        model: z.string(),
        evaluation: z.string().describe("The evaluation's name in the plan."),
        protocol: z.record(z.string(), z.unknown()).describe("What the figures hold for."),
        error: failureSchema.nullable(),
      }),
    )
    .describe("How each measure was taken."),
  subnetworks: z
    .array(
      z.object({
        id: z.string().describe("How results name it."),
        model: z.string(),
        removed: z.array(unitName).describe("By depth; empty for the whole model."),
        repair: z
          .object({ name: z.string(), calibration: z.string(), draw: z.int(), reports: z.array(fitReport) })
          .nullable()
          .describe("What is in place, fitted to what, and how that went."),
        costs: cost.describe("What is left of the model's."),
        error: failureSchema.nullable(),
      }),
    )
    .describe("Every one that was measured, each once."),
  points: z
    .array(
      z.object({
        ...condition,
        ranking: z.string(),
        removal: z.number().describe("A number of units, or a share."),
        repair: z.string().nullable().describe("Its name in the plan; null: nothing in place."),
        subnetwork: z.string().nullable().describe("Its id; null where it could not be made."),
      }),
    )
    .describe("Which subnetwork each ranking, removal and repair leads to."),
  results: z
    .array(
      outcomeSchema.extend({
        subnetwork: z.string(),
        evaluation: z.string(),
        aboveWhole: measured.nullable().describe("The first measure less the whole model's, item by item."),
        error: failureSchema.nullable(),
      }),
    )
    .describe("What each subnetwork has on each evaluation."),
  texts: z
    .array(z.object({ subnetwork: z.string(), generation: writtenSchema }))
    .describe("How subnetworks went on with the prompts."),
  warnings: z
    .array(z.string())
    .describe(
      "What a reader of the figures must know: notes of the models and the rankings, files that are not what " +
        "their name says.",
    ),
  timings: z
    .object({
      startedAt: z.iso.datetime().describe("When this run of it began, ISO 8601."),
      finishedAt: z.iso.datetime().describe("When it ended."),
      steps: z
        .array(z.object({ step: z.string(), seconds: z.number(), blockEvaluations: z.number().nullable() }))
        .describe("What was done, in this run or in those before it, and how long it took."),
      took: z.number().default(0).describe("Seconds of all these steps."),
      planned: plannedSchema
        .nullable()
        .default(null)
        .describe("Seconds that `depthkit plan` told for this folder before; null: it was not asked."),
      profiles: z
        .array(z.object({ subnetwork: z.string(), evaluation: z.string(), profile: z.unknown() }))
        .describe("Speed and memory on this device."),
    })
    .describe("All that another run of the same plan may have otherwise."),
});
/** All that a study leaves: what was asked, what was measured, and on what. */
export type StudyRecord = z.output<typeof recordSchema>;
