import { z } from "zod";
import { subject, unitName } from "./common.ts";
import { dtypeChoice } from "./model.ts";
import { count, digest, finite, named } from "./schema.ts";

export const exportHuggingfaceParams = named(
  "ExportHuggingfaceParams",
  z.strictObject({
    ...subject,
    target: z.string().min(1).describe("Absolute path of the folder to write."),
    overwrite: z.boolean(),
    dtype: dtypeChoice.describe("auto: the dtype the source is stored in."),
    note: z.string().describe("How the units were chosen, for the model card; may be empty."),
  }),
);

export const exportedFile = named(
  "ExportedFile",
  z.object({ name: z.string(), bytes: count(), sha256: digest() }),
);

export const exportLayout = z.enum(["plain", "depthkit"]);
export type ExportLayout = z.infer<typeof exportLayout>;

export const exportHuggingfaceResult = named(
  "ExportHuggingfaceResult",
  z.object({
    folder: z.string(),
    layout: exportLayout.describe(
      "plain: any software that reads the architecture; depthkit: one layer a kept attention, with code of its own.",
    ),
    removed: z.array(unitName),
    keptBlocks: z.array(count()).describe("Blocks of which at least one sublayer stays."),
    files: z.array(exportedFile),
    weightsDigest: digest().describe("As of a loaded model: sha256 over the weight files."),
    parametersBefore: count(),
    parametersAfter: count(),
    weightBytesBefore: count(),
    weightBytesAfter: count(),
    kvBytesPerTokenBefore: count(),
    kvBytesPerTokenAfter: count(),
    dtype: z.string(),
    maxLogitDifference: finite()
      .nullable()
      .describe(
        "To the subnetwork in memory, in the loaded dtype, on a fixed batch; null over several devices.",
      ),
    notes: z
      .array(z.string())
      .describe("What was folded where, why this layout, and which software reads it."),
    warnings: z.array(z.string()),
    seconds: finite(),
  }),
);
export type ExportInfo = z.infer<typeof exportHuggingfaceResult>;
