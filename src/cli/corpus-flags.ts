import { type Command, Option } from "commander";
import type { LoadCorpusOptions } from "../index.ts";
import { addDataFlags, type DataFlags, escapedText, wholeNumber } from "./options.ts";

/** Flags of the commands that measure on a corpus. */
export interface CorpusFlags extends DataFlags {
  sequences?: number;
  length: number;
  packing: "pack" | "none";
}

export function addCorpusFlags(command: Command): Command {
  return addDataFlags(command)
    .option("--sequences <n>", "sequences to take; all where left out", wholeNumber(1))
    .option("--length <n>", "tokens a sequence", wholeNumber(2), 512)
    .addOption(
      new Option("--packing <how>", "pack: one stream cut to length; none: a sequence a text")
        .choices(["pack", "none"])
        .default("pack"),
    );
}

export function corpusOptions(flags: CorpusFlags): LoadCorpusOptions {
  return {
    ...(flags.sequences === undefined ? {} : { sequences: flags.sequences }),
    length: flags.length,
    packing: flags.packing,
    bos: flags.bos,
    separator: escapedText(flags.separator),
  };
}
