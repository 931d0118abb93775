import { type Command, Option } from "commander";
import { DepthkitError, type GgufExport, type HuggingfaceExport, type OnnxExport } from "../index.ts";
import { exportFormats, exportOptions, ggufOptions, onnxDtypes } from "../schemas.ts";

/** What a model is saved as. */
export interface FormatFlags {
  format: (typeof exportFormats)[number];
  saveDtype?: string;
  base?: string;
  vision?: boolean;
  onnxDtypes?: (typeof onnxDtypes)[number][];
}

// `--dtype` is the one the model is loaded in.
const dtypes = [
  ...new Set([...exportOptions.shape.dtype.unwrap().options, ...ggufOptions.shape.dtype.unwrap().options]),
];

export function addFormatFlags(command: Command): Command {
  return command
    .addOption(new Option("--format <format>").choices(exportFormats).default(exportFormats[0]))
    .addOption(
      new Option(
        "--save-dtype <name>",
        "what weights are written as; q8_0 for gguf alone (default: auto)",
      ).choices(dtypes),
    )
    .option("--base <file>", "gguf: the file that the model was loaded from, where it is not in its place")
    .option("--vision", "huggingface: of a checkpoint that reads images too, its tower and projector as well")
    .addOption(
      new Option("--onnx-dtypes <names...>", "onnx: a graph each (default: fp32)").choices(onnxDtypes),
    );
}

type Saved =
  | Pick<HuggingfaceExport, "format" | "dtype" | "vision">
  | Pick<GgufExport, "format" | "dtype" | "base">
  | Pick<OnnxExport, "format" | "dtypes">;

/** The flags as an export's options. The worker refuses a dtype that is not the format's. */
export function formatOptionsOf(flags: FormatFlags): Saved {
  const { format, saveDtype, base, vision, onnxDtypes: dtypes } = flags;
  if (base !== undefined && format !== "gguf") {
    throw refusal("--base is the file that a GGUF is made from: it does nothing without --format gguf.");
  }
  if (vision === true && format !== "huggingface") {
    throw refusal(
      "--vision keeps tower and projector of a Hugging Face checkpoint: other formats have the language model " +
        "alone. Leave it out.",
    );
  }
  if (dtypes !== undefined && format !== "onnx") {
    throw refusal("--onnx-dtypes names the graphs of an ONNX export: it does nothing without --format onnx.");
  }
  if (format === "onnx") {
    if (saveDtype === undefined) return { format, ...(dtypes !== undefined && { dtypes }) };
    throw refusal("--save-dtype does nothing with --format onnx, whose graphs are named by --onnx-dtypes.");
  }
  const dtype = saveDtype === undefined ? {} : { dtype: saveDtype as never };
  if (format === "gguf") return { format, ...dtype, ...(base !== undefined && { base }) };
  return { format, ...dtype, ...(vision === true && { vision }) };
}

const refusal = (text: string) => new DepthkitError("INVALID_ARGUMENT", text);
