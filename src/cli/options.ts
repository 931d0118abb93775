import { type Command, InvalidArgumentError, Option } from "commander";
import type { LoadModelOptions, TextData, UnitName } from "../index.ts";

export interface ModelFlags {
  model: string;
  revision?: string;
  dtype: NonNullable<LoadModelOptions["dtype"]>;
  device: NonNullable<LoadModelOptions["device"]>;
  attention: NonNullable<LoadModelOptions["attention"]>;
  trustRemoteCode: boolean;
  json: boolean;
}

export function addModelFlags(command: Command): Command {
  return command
    .requiredOption("--model <name>", "smollm2-135m, a folder, a .gguf file or a hub id")
    .option("--revision <name>", "branch, tag or commit of a hub id")
    .addOption(
      new Option("--dtype <dtype>").choices(["auto", "float32", "bfloat16", "float16"]).default("auto"),
    )
    .option("--device <device>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .addOption(
      new Option("--attention <implementation>")
        .choices(["auto", "eager", "sdpa", "flash_attention_2"])
        .default("auto"),
    )
    .option("--trust-remote-code", "let the checkpoint run code of its own", false)
    .option("--json", "print one JSON document", false);
}

export function modelOptions({
  revision,
  dtype,
  device,
  attention,
  trustRemoteCode,
}: ModelFlags): LoadModelOptions {
  return { ...(revision === undefined ? {} : { revision }), dtype, device, attention, trustRemoteCode };
}

export interface DataFlags {
  data: string[];
  textField: string;
  strict: boolean;
  bos: "auto" | "always" | "never";
  separator: string;
}

export function addDataFlags(command: Command, { required = true } = {}): Command {
  const data = new Option("--data <files...>", "text: .txt, .jsonl or .jsonl.gz files");
  return command
    .addOption(data.makeOptionMandatory(required))
    .option("--text-field <name>", "the field of a JSON line that holds its text", "text")
    .option("--strict", "refuse lines without text instead of counting and skipping them", false)
    .addOption(
      new Option(
        "--bos <policy>",
        "BOS token at the start of each sequence; auto: where the tokeniser adds it",
      )
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option("--separator <text>", "stands between two texts (\\n is a line break)", "\\n\\n");
}

export function textData({ data, textField, strict }: DataFlags): TextData {
  return { files: data, textField, strict };
}

/** A flag's text with `\\n` and `\\t` as the line break and the tab they stand for. */
export function escapedText(flag: string): string {
  return flag.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}

export function addRemoveFlag(command: Command): Command {
  return command.option(
    "--remove <units>",
    "units to remove: 3,7 or block.3, attention.5, feed-forward.2, and inclusive runs 10-12",
    parseUnits,
    [],
  );
}

/** Reads `3,7`, `10-12`, `attention.5`: bare numbers are blocks, a run names its first and last. */
export function parseUnits(text: string): UnitName[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap(parsePart);
}

function parsePart(part: string): UnitName[] {
  const match = /^(?:(block|attention|feed-forward)\.)?([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(part);
  if (match === null) {
    const hint = /[:[\])]|\.\./.test(part)
      ? " Runs are written first-last, both removed: 10-12 is 10, 11 and 12."
      : "";
    throw new InvalidArgumentError(
      `"${part}" is no unit; write block numbers (3,7), runs (10-12) or attention.5, feed-forward.2.${hint}`,
    );
  }
  const kind = (match[1] ?? "block") as "block" | "attention" | "feed-forward";
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last < first) throw new InvalidArgumentError(`"${part}" runs backwards; write ${last}-${first}.`);
  return Array.from({ length: last - first + 1 }, (_, offset): UnitName => `${kind}.${first + offset}`);
}

/** A whole number of at least `min`, exact in a double. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(
        `"${text}" is no whole number from ${min} to ${Number.MAX_SAFE_INTEGER}.`,
      );
    }
    return value;
  };
}

export function realNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`"${text}" is no number from ${min} to ${max}.`);
    }
    return value;
  };
}
