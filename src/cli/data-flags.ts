import { type Command, Option } from "commander";
import type { LoadCorpusOptions, LoadModelOptions, TextData } from "../index.ts";
import { corpusOptions, modelOptions } from "../schemas.ts";
import { addTokensFlag, type TokensFlag } from "./first-tokens.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";

export interface ModelFlags {
  model: string;
  json: boolean;
}

export function addModelFlags(command: Command): Command {
  command.requiredOption("--model <name>", "smollm2-135m, a folder, a .gguf file or a hub id");
  return addSchemaFlags(command, modelOptions).option("--json", "print one JSON document", false);
}

export function modelOptionsOf(flags: ModelFlags): LoadModelOptions {
  return schemaOptions(modelOptions, flags);
}

export interface TextFlags {
  data: string[];
  textField?: string;
  strict?: boolean;
}

export function addTextFlags(command: Command, { required = true } = {}): Command {
  const data = new Option(
    "--data <files...>",
    "text: .txt files, or rows: .jsonl, .json, .csv, .tsv, .parquet, or hf://datasets/OWNER/NAME/PATH",
  );
  return command
    .addOption(data.makeOptionMandatory(required))
    .option("--text-field <name>", "the field of a JSON line that holds its text (default: text)")
    .option("--strict", "refuse lines without text instead of counting and skipping them");
}

export function textDataOf({ data, textField, strict }: TextFlags): TextData {
  return { files: data, textField, strict };
}

/** Flags of the commands that measure on a corpus. */
export interface CorpusFlags extends TextFlags, TokensFlag {}

const corpusStyles = { numbers: false, separator: { escaped: true } } as const;

export function addCorpusFlags(command: Command): Command {
  return addTokensFlag(addSchemaFlags(addTextFlags(command), corpusOptions, corpusStyles));
}

export function corpusOptionsOf(flags: CorpusFlags): LoadCorpusOptions {
  return schemaOptions(corpusOptions, flags, corpusStyles);
}
