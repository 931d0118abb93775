import { z } from "zod";
import { subject, unitName } from "./common.ts";
import { count, digest, extending, finite, list, named, path } from "./schema.ts";

/** What a GGUF file's matrices can be written as. */
const ggufDtypes = ["auto", "float32", "float16", "bfloat16", "q8_0"] as const;

/** Options of an export to GGUF. */
export const ggufOptions = named(
  "GgufOptions",
  z.strictObject({
    overwrite: z
      .boolean()
      .default(false)
      .describe("Replace a GGUF file that depthkit wrote; any other file is refused."),
    dtype: named("GgufDtype", z.enum(ggufDtypes))
      .default("auto")
      .describe("auto: a base file's tensors as they are, else the dtype the source is stored in."),
    base: path()
      .nullable()
      .default(null)
      .describe("The GGUF file that the model was loaded from, where it is no longer in its place."),
    note: z.string().default("").describe("How the units were chosen, for the file's metadata."),
  }),
);

export const exportGgufParams = extending("ExportGgufParams", ggufOptions, {
  ...subject,
  target: path().describe("The file to write."),
});

export const exportGgufResult = named(
  "ExportGgufResult",
  z.object({
    file: z.string().describe("Where it was written."),
    architecture: z
      .string()
      .describe("What llama.cpp reads it as; deci: Llama's shape, where a layer may lack a sublayer."),
    removed: list(unitName).describe("The units that were removed."),
    keptBlocks: list(count()).describe("Blocks of which at least one sublayer stays."),
    layers: count().describe("Layers of the file."),
    bytes: count().describe("Of the file."),
    sha256: digest().describe("Of the file."),
    weightsDigest: digest().describe("sha256 over the tensors' bytes, in their order."),
    base: digest()
      .nullable()
      .describe("sha256 of the GGUF file that metadata and tensors were copied from; null: converted."),
    parametersBefore: count().describe("Of the whole model."),
    parametersAfter: count().describe("Of what was written, zeros that stand for removed parts included."),
    weightBytesAfter: count().describe("Bytes of the tensors written."),
    kvBytesPerTokenBefore: count().describe(
      "llama.cpp's KV cache of the whole model, for each token, in fp16.",
    ),
    kvBytesPerTokenAfter: count().describe("The same of what was written."),
    dtype: z.string().describe("What most of the weights are written as."),
    notes: list(z.string()).describe("What was folded or written how."),
    warnings: list(z.string()).describe("What a user of the file should look at."),
    seconds: finite().describe("Seconds it took."),
  }),
);
/** What an export to GGUF has written. */
export type GgufInfo = z.infer<typeof exportGgufResult>;
