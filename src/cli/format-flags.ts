import { type Command, Option } from "commander";
import { DepthkitError, type GgufExport, type HuggingfaceExport } from "../index.ts";
import { exportFormats, exportOptions, ggufOptions } from "../schemas.ts";

/** What a model is saved as. */
export interface FormatFlags {
  format: (typeof exportFormats)[number];
  saveDtype?: string;
  base?: string;
  vision?: boolean;
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
    .option(
      "--vision",
      "huggingface: of a checkpoint that reads images too, its tower and projector as well",
    );
}

type Saved =
  | Pick<HuggingfaceExport, "format" | "dtype" | "vision">
  | Pick<GgufExport, "format" | "dtype" | "base">;

/** The flags as an export's options. The worker refuses a dtype that is not the format's. */
export function formatOptionsOf({ format, saveDtype, base, vision }: FormatFlags): Saved {
  const dtype = saveDtype === undefined ? {} : { dtype: saveDtype as never };
  if (format === "gguf" && vision === true) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "--vision keeps tower and projector of a Hugging Face checkpoint: a GGUF file has the language model " +
        "alone. Leave it out.",
    );
  }
  if (format === "gguf") return { format, ...dtype, ...(base !== undefined && { base }) };
  if (base === undefined) return { format, ...dtype, ...(vision === true && { vision }) };
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    "--base is the file that a GGUF is made from: it does nothing without --format gguf.",
  );
}
