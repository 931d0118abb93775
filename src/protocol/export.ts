import { z } from "zod";
import { subject, unitName } from "./common.ts";
import { dtypeChoice } from "./model.ts";
import { count, digest, extending, finite, list, named, path } from "./schema.ts";

export const exportFormats = ["huggingface"] as const;

export const exportOptions = named(
  "ExportOptions",
  z.strictObject({
    overwrite: z
      .boolean()
      .default(false)
      .describe("Replace what the folder holds; a folder that is not empty is refused otherwise."),
    dtype: dtypeChoice.default("auto").describe("auto: the dtype the source is stored in."),
    note: z.string().default("").describe("How the units were chosen, for the model card."),
  }),
);

export const exportHuggingfaceParams = extending("ExportHuggingfaceParams", exportOptions, {
  ...subject,
  target: path().describe("The folder to write."),
});

const exportedFile = named(
  "ExportedFile",
  z.object({
    name: z.string().describe("From the folder; parts of a path with slashes."),
    bytes: count(),
    sha256: digest(),
  }),
);

const exportLayout = z.enum(["plain", "depthkit"]);

export const exportHuggingfaceResult = named(
  "ExportHuggingfaceResult",
  z.object({
    folder: z.string(),
    layout: exportLayout.describe(
      "plain: any software that reads the architecture; depthkit: one layer a kept attention, with code " +
        "of its own.",
    ),
    removed: list(unitName),
    keptBlocks: list(count()).describe("Blocks of which at least one sublayer stays."),
    files: list(exportedFile),
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
        "Of the written files to the subnetwork in memory, computed in the loaded dtype, over every token of a " +
          "fixed batch; null over several devices.",
      ),
    notes: list(z.string()).describe("What was folded where, why this layout, and which software reads it."),
    warnings: list(z.string()),
    seconds: finite(),
  }),
);
export type ExportInfo = z.infer<typeof exportHuggingfaceResult>;
