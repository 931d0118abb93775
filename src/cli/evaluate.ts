import { type Command, Option } from "commander";
import {
  formatCount,
  formatNumber,
  formatSeconds,
  type Perplexity,
  renderTable,
  type Subnetwork,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { addDataFlags, type DataFlags, separatorText, textData, wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, DataFlags {
  dense: boolean;
  rows: "raw" | "wikitext";
  chunk?: number;
  stride?: number;
  maxChunks?: number;
  batchSize: number;
}

type Result = Pick<Subnetwork, "removed" | "repairs" | "keptBlocks"> & { perplexity: Perplexity };

export function registerEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("Measure the perplexity of the model, or of what is left of it without some units.");
  addDataFlags(addSubjectFlags(command))
    .option("--dense", "score the whole model as well", false)
    .addOption(
      new Option("--rows <mode>", "raw: the text as it is; wikitext: the published protocol's rows")
        .choices(["raw", "wikitext"])
        .default("raw"),
    )
    .option(
      "--chunk <n>",
      "tokens a chunk (default: 2048, or the model's limit where that is less)",
      wholeNumber(2),
    )
    .option("--stride <n>", "tokens from chunk to chunk (default: the chunk)", wholeNumber(1))
    .option("--max-chunks <n>", "stop after this many", wholeNumber(1))
    .option("--batch-size <n>", "chunks at a time", wholeNumber(1), 1)
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork: pruned } = await loadSubject(kit, flags, call);
          const subjects =
            flags.dense && pruned.removed.length + pruned.repairs.length > 0
              ? [model.without([]), pruned]
              : [pruned];
          const results: Result[] = [];
          for (const subject of subjects) {
            const perplexity = await subject.perplexity(textData(flags), {
              rows: flags.rows,
              separator: separatorText(flags.separator),
              ...(flags.chunk === undefined ? {} : { chunk: flags.chunk }),
              ...(flags.stride === undefined ? {} : { stride: flags.stride }),
              ...(flags.maxChunks === undefined ? {} : { maxChunks: flags.maxChunks }),
              bos: flags.bos,
              batchSize: flags.batchSize,
              ...call,
            });
            const { removed, repairs, keptBlocks } = subject;
            results.push({ removed, repairs, keptBlocks, perplexity });
          }
          return { json: { model: model.info, results }, text: results.map(describe).join("\n\n") };
        }),
      );
    });
}

function describe({ removed, repairs, keptBlocks, perplexity }: Result): string {
  const optional = (value: number | null) => (value === null ? "not defined here" : formatNumber(value));
  const rows = [
    ["removed", removed.length === 0 ? "nothing" : removed.join(", ")],
    ["repaired by", [...new Set(repairs.map(({ method }) => method))].join(", ") || "nothing"],
    ["kept blocks", keptBlocks.join(", ")],
    ["perplexity", formatNumber(perplexity.perplexity, 6)],
    ["loss", `${formatNumber(perplexity.loss, 6)} nats a token`],
    ["mean of sequences", formatNumber(perplexity.meanOfSequences, 6)],
    ["word perplexity", optional(perplexity.wordPerplexity)],
    ["bits per byte", optional(perplexity.bitsPerByte)],
    [
      "text",
      `${perplexity.data.files.join(", ") || "given"} (sha256 ${perplexity.data.digest.slice(0, 12)}, rows ${perplexity.rows})`,
    ],
    ["chunks", `${perplexity.chunks} of ${perplexity.chunk} tokens, stride ${perplexity.stride}`],
    ["BOS", `${perplexity.bos}: ${perplexity.bosAdded ? "added to each chunk" : "not added"}`],
    [
      "tokens",
      `${formatCount(perplexity.tokensScored)} scored, ${formatCount(perplexity.tokensDropped)} left out at the end, ${formatCount(perplexity.tokensTotal)} in all`,
    ],
    ["time", `${formatSeconds(perplexity.seconds)} at batch size ${perplexity.batchSize}`],
  ];
  return renderTable([{ title: "perplexity" }, { title: "" }], rows);
}
