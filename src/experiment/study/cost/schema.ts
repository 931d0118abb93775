/** What a study will cost, told before it is begun. */
import { z } from "zod";

/** Kinds of work, in the order in which a study does them. */
export const costedKinds = [
  "costs",
  "influence",
  "ranking",
  "evaluation",
  "repair",
  "repaired evaluation",
  "text",
] as const;

const seconds = z.number().nullable();

const costRow = z.object({
  kind: z.enum(costedKinds).describe("What is done; `repaired evaluation`: of subnetworks with repairs."),
  model: z.string().describe("The model's name in the plan."),
  what: z.string().describe("Which influence pass, ranking, evaluation or repair."),
  steps: z.int().describe("How many there are of it: subnetworks of an evaluation, repairs to fit."),
  known: z.int().describe("So many of them are in the folder's journal, and cost nothing."),
  subnetworks: z.int().describe("Sets of units that are computed for it; equal ones count once."),
  blockEvaluations: z
    .number()
    .nullable()
    .describe("Blocks run on a batch, what subnetworks share being run once; null where none are counted."),
  tokens: z.int().nullable().describe("Tokens read or written, at most; null where it cannot be told."),
  bytes: z.int().describe("On disk, about."),
  exact: z.boolean().describe("Whether it is known which sets they are; else they are guessed by cosine."),
  seconds: seconds.describe(
    "On this device, by a sample; null where it cannot be told, and `note` says why.",
  ),
  low: seconds.describe("By the fastest of the sample."),
  high: seconds.describe("By the slowest of the sample."),
  note: z.string().nullable().describe("What has to be known of it."),
});
export type CostRow = z.output<typeof costRow>;

/** What a study will do and how long it takes. */
export const studyCostSchema = z.object({
  costVersion: z.literal(1).describe("Of this form."),
  depthkitVersion: z.string().describe("The version that told it."),
  devices: z.array(z.string()).describe("What each model runs on, in the order of the plan."),
  rows: z.array(costRow).describe("Work by kind, in the order in which it is done."),
  subnetworks: z
    .object({
      expected: z.int().describe("By the guess."),
      most: z.int().describe("If no two of the rankings that are not known yet agree."),
    })
    .describe("Different subnetworks that are measured, with their repairs."),
  blockEvaluations: z.number().describe("Of all rows that count them."),
  tokens: z.int().describe("Of all rows that tell them."),
  bytes: z.int().describe("What the folder will take more than now, about."),
  seconds: z.number().describe("What is left to do, by the sample; rows that cannot tell are left out."),
  low: z.number().describe("The sum of the rows' lows."),
  high: z.number().describe("The sum of the rows' highs."),
  whole: z
    .object({ seconds: z.number(), low: z.number(), high: z.number() })
    .describe("The same with what is done already: what a record says was planned."),
  untold: z.array(z.string()).describe("What has no seconds."),
});
/** What a study will do and how long it takes. */
export type StudyCost = z.output<typeof studyCostSchema>;

/** What the journal keeps of it, for the record to say how far off it was. */
export const plannedSchema = z.object({
  seconds: z.number().describe("By the sample."),
  low: z.number().describe("By the fastest of the sample."),
  high: z.number().describe("By the slowest of the sample."),
});
export type Planned = z.output<typeof plannedSchema>;
