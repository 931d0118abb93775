import { z } from "zod";
import { subject, unitName } from "./common.ts";
import { exportedFile, onnxDtype } from "./export.ts";
import { checkSide } from "./export-check.ts";
import { count, digest, extending, finite, list, named, notNegative, path } from "./schema.ts";

/** Options of an export to ONNX. */
export const onnxOptions = named(
  "OnnxOptions",
  z.strictObject({
    overwrite: z
      .boolean()
      .default(false)
      .describe("Replace an earlier export; a folder that is not empty is refused otherwise."),
    dtypes: list(onnxDtype, 1)
      .default(["fp32"])
      .describe(
        "A graph each: fp32; fp16, its cache too; int8 and q4, weights of 8 and 4 bits in blocks of 32 with a " +
          "scale, all else fp32.",
      ),
    note: z.string().default("").describe("How the units were chosen, for the model card."),
  }),
);

export const exportOnnxParams = extending("ExportOnnxParams", onnxOptions, {
  ...subject,
  target: path().describe("The folder to write."),
});

const { sameTokens: _, ...answers } = checkSide.shape;

export const exportOnnxResult = named(
  "ExportOnnxResult",
  z.object({
    folder: z.string().describe("Where it was written."),
    modelType: z.string().describe("What transformers.js takes it for."),
    layers: count().describe("Caches of keys and values: one a kept attention."),
    removed: list(unitName).describe("The units that were removed."),
    keptBlocks: list(count()).describe("Blocks of which at least one sublayer stays."),
    files: list(exportedFile).describe("All that was written."),
    weightsDigest: digest().describe("sha256 over the graphs' files."),
    graphs: list(
      named(
        "OnnxGraph",
        z.object({
          dtype: onnxDtype,
          file: z.string().describe("From the folder."),
          bytes: count().describe("Of the graph, with the weights that lie beside it."),
          meanDifference: notNegative().describe("As largestDifference; the mean."),
          roundingDifference: notNegative()
            .nullable()
            .describe(
              "int8 and q4: how far its log-probabilities are at most from those of the fp32 graph with the " +
                "same rounded weights; null for the others.",
            ),
          ...answers,
        }),
      ),
    ).describe("As each answers in onnxruntime, beside the subnetwork in memory."),
    parametersBefore: count().describe("Of the whole model."),
    parametersAfter: count().describe("Of what was written."),
    notes: list(z.string()).describe("What was folded or written how."),
    warnings: list(z.string()).describe("What a user of the graphs should look at."),
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What an export to ONNX has written, and how each graph answers. */
export type OnnxInfo = z.infer<typeof exportOnnxResult>;
