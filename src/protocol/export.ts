import { z } from "zod";
import { modelHandle, subject, unitName } from "./common.ts";
import { dtypeChoice } from "./model.ts";
import { repairMethod } from "./repair.ts";
import { count, digest, extending, finite, list, named, path } from "./schema.ts";

/** Formats of an export. */
export const exportFormats = ["huggingface", "gguf", "onnx"] as const;
/** One of them. */
export type ExportFormat = (typeof exportFormats)[number];

const exportFormat = named("ExportFormat", z.enum(exportFormats));

/** What the numbers of an ONNX graph can be, by transformers.js's names, the widest first. */
export const onnxDtypes = ["fp32", "fp16", "int8", "q4"] as const;
export const onnxDtype = named("OnnxDtype", z.enum(onnxDtypes));

/** Options of `export`. */
export const exportOptions = named(
  "ExportOptions",
  z.strictObject({
    overwrite: z
      .boolean()
      .default(false)
      .describe("Replace an earlier export; a folder that is not empty is refused otherwise."),
    dtype: dtypeChoice.default("auto").describe("auto: the dtype the source is stored in."),
    vision: z
      .boolean()
      .default(false)
      .describe(
        "Of a checkpoint that reads images too: save it whole, tower and projector as they are; else the " +
          "language model by itself.",
      ),
    note: z.string().default("").describe("How the units were chosen, for the model card."),
  }),
);

export const exportHuggingfaceParams = extending("ExportHuggingfaceParams", exportOptions, {
  ...subject,
  target: path().describe("The folder to write."),
});

export const exportedFile = named(
  "ExportedFile",
  z.object({
    name: z.string().describe("From the folder; parts of a path with slashes."),
    bytes: count().describe("Its size."),
    sha256: digest().describe("Of its bytes."),
  }),
);

const exportLayout = z.enum(["plain", "depthkit"]);

export const exportHuggingfaceResult = named(
  "ExportHuggingfaceResult",
  z.object({
    folder: z.string().describe("Where it was written."),
    layout: exportLayout.describe(
      "plain: any software that reads the architecture; depthkit: one layer per kept attention, with code " +
        "of its own.",
    ),
    removed: list(unitName).describe("The units that were removed."),
    keptBlocks: list(count()).describe("Blocks of which at least one sublayer stays."),
    files: list(exportedFile).describe("All that was written."),
    weightsDigest: digest().describe("As of a loaded model: sha256 over the weight files."),
    adapterDigest: digest()
      .nullable()
      .default(null)
      .describe(
        "Of the LoRA adapter in the folder `adapter`, which belongs to packed weights: sha256 over its " +
          "files; null: there is none.",
      ),
    parametersBefore: count().describe("Of the whole model."),
    parametersAfter: count().describe("Of what was written."),
    weightBytesBefore: count().describe("Bytes of the whole model's weights, in the dtype written."),
    weightBytesAfter: count().describe("Bytes of the weights written."),
    kvBytesPerTokenBefore: count().describe("KV cache of the whole model, for each token."),
    kvBytesPerTokenAfter: count().describe("KV cache of what was written, for each token."),
    dtype: z.string().describe("The dtype written."),
    maxLogitDifference: finite().describe(
      "Of the written files to the subnetwork in memory, computed in the loaded dtype, over every token " +
        "of a fixed batch.",
    ),
    notes: list(z.string()).describe("What was folded where, why this layout, and which software reads it."),
    warnings: list(z.string()).describe("What a user of the checkpoint should look at."),
    seconds: finite().describe("Seconds it took."),
  }),
);

export const exportCanExportParams = named(
  "ExportCanExportParams",
  z.strictObject({ ...subject, format: exportFormat }),
);

export const exportCanExportResult = named(
  "ExportCanExportResult",
  z.object({
    possible: z.boolean().describe("Whether an export to this format can hold the subnetwork."),
    reason: z.string().nullable().describe("Why not; null where it can."),
    nearest: named(
      "ExportNearest",
      z.object({
        removed: list(unitName).describe("The units that it is without."),
        repairs: list(z.string()).describe("The methods of the repairs that stay, in their order."),
      }),
    )
      .nullable()
      .describe("The nearest subnetwork that can be exported; null where this one can, or none is known."),
  }),
);

export const exportLimitsParams = named(
  "ExportLimitsParams",
  z.strictObject({
    model: modelHandle,
    format: exportFormat,
    units: list(unitName, 1).describe("The units that may go."),
    repairs: list(repairMethod)
      .default([])
      .describe("What stands in the place of what is gone: each method on top of the one before."),
  }),
);

export const exportLimitsResult = named(
  "ExportLimits",
  z.object({
    refused: list(
      named(
        "ExportRefusedUnit",
        z.object({
          unit: unitName,
          reason: z.string().describe("Why the format does not hold the model without it."),
        }),
      ),
    ).describe("The units that are refused whatever else goes, in the given order."),
    keepsPattern: z
      .boolean()
      .describe("Whether blocks of two kinds must keep their order: the format goes by a block's number."),
  }),
);

const exportStep = named(
  "ExportStep",
  z.object({
    depthkit: z.string().describe("The version that wrote it."),
    fromWeights: digest().describe(
      "The weights it was made from; those of the step before, unless they were tuned.",
    ),
    removed: list(unitName).describe("By the numbers that the blocks had before this step."),
    keptBlocks: list(count()).describe("Blocks of which at least one sublayer stayed."),
    repairs: list(
      named("ExportedRepair", z.object({ method: z.string(), removed: list(unitName), digest: digest() })),
    ),
    layout: z.enum(["plain", "depthkit", "gguf", "onnx"]),
    dtype: z.string().describe("The dtype written."),
    weights: digest().describe("Digest of the weights written."),
    adapter: digest()
      .nullable()
      .default(null)
      .describe("Digest of the LoRA adapter that lies beside packed weights and belongs to them."),
    note: z.string().describe("How the units were chosen, as the export was told."),
  }),
);

/** `depthkit.json` in every export: what it was made from and how, for programs. */
export const exportProvenance = named(
  "ExportProvenance",
  z.object({
    version: count().describe("Of this form: 1."),
    source: named(
      "ExportOrigin",
      z.object({
        name: z.string().describe("A hub id, a bundled name, or the last part of a path."),
        revision: z.string().nullable().describe("A hub id's commit."),
        weights: digest().describe("Digest of its weights."),
        license: z.string().nullable().describe("As the source's card states it."),
      }),
    ).describe("What the first step was made from."),
    steps: list(exportStep).describe("One an export, the first one first."),
  }),
);
/** What an export says of where it came from, step by step. */
export type ExportProvenance = z.infer<typeof exportProvenance>;
/** What an export has written, and how far its logits are from those of the model in memory. */
export type ExportInfo = z.infer<typeof exportHuggingfaceResult>;
/** Whether a format can hold a subnetwork, and why not. */
export type CanExport = z.infer<typeof exportCanExportResult>;
