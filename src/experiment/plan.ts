import { z } from "zod";
import { fileSource, textSource, unitKind } from "../protocol/common.ts";
import { corpusOptions } from "../protocol/corpus.ts";
import { perplexityOptions } from "../protocol/evaluation.ts";
import { generateOptions } from "../protocol/generation.ts";
import { influenceMetric } from "../protocol/influence.ts";
import { modelOptions } from "../protocol/model.ts";

const textData = z.union([
  z.string().min(1),
  fileSource.omit({ kind: true }),
  textSource.omit({ kind: true }),
]);

/** What an experiment does, as data: measure influence, remove by it, score and show what is left. */
export const planSchema = z.strictObject({
  model: modelOptions
    .omit({ trustRemoteCode: true })
    .extend({ source: z.string().min(1) })
    .describe("The model to take apart."),
  calibration: corpusOptions.extend({ data: textData }).describe("The text that influence is measured on."),
  choose: z
    .strictObject({
      units: unitKind,
      metric: influenceMetric,
      counts: z.array(z.int().min(0)).min(1),
    })
    .describe("Remove the units of least influence, as many as each of the counts says."),
  evaluation: perplexityOptions
    .omit({ items: true })
    .extend({ data: textData })
    .describe("The text that what is left is scored on."),
  prompts: z.array(z.string()).describe("What each subnetwork continues; may be empty."),
  generation: generateOptions.describe("How the prompts are continued."),
});
/** As it is written: what is left out has the default of the call it goes to. */
export type Plan = z.input<typeof planSchema>;
