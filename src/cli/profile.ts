import type { Command } from "commander";
import {
  type Column,
  formatBytes,
  formatCount,
  formatSeconds,
  type ModelProfile,
  type Profile,
  renderTable,
  type Speed,
  type UnitName,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  promptTokens?: number;
  contextTokens?: number;
  newTokens: number;
  batchSizes: number[];
  rounds: number;
  warmupRounds: number;
}

export function registerProfile(program: Command): void {
  const command = program
    .command("profile")
    .description("What the model costs to store and to run without some units, against the whole model.");
  const size = wholeNumber(1);
  addSubjectFlags(command)
    .option("--prompt-tokens <n>", "tokens of the prompt whose reading is timed (default: 512)", size)
    .option("--context-tokens <n>", "tokens before the first one written (default: 128)", size)
    .option("--new-tokens <n>", "tokens written by each timed run", size, 32)
    .option(
      "--batch-sizes <list>",
      "texts written at a time",
      (text: string) => text.split(",").map(size),
      [1, 8],
    )
    .option("--rounds <n>", "times each model is timed, in turn", size, 5)
    .option("--warmup-rounds <n>", "rounds before these, not counted", wholeNumber(0), 1)
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const { promptTokens, contextTokens, newTokens, batchSizes, rounds, warmupRounds } = flags;
          const profile = await subnetwork.profile({
            ...(promptTokens === undefined ? {} : { promptTokens }),
            ...(contextTokens === undefined ? {} : { contextTokens }),
            newTokens,
            batchSizes,
            rounds,
            warmupRounds,
            ...call,
          });
          return {
            json: { model: model.info, removed: subnetwork.removed, ...profile },
            text: textOf(profile, subnetwork.removed),
          };
        }),
      );
    });
}

function textOf(profile: Profile, removed: readonly UnitName[]): string {
  const { dense, masked, physical } = profile;
  const models = [dense, masked, physical].filter((model) => model !== undefined);
  const columns: Column[] = [
    { title: "" },
    ...models.map(({ mode }): Column => ({ title: mode, align: "right" })),
  ];
  const row = (title: string, of: (model: ModelProfile) => string) => [title, ...models.map(of)];
  const rows = [
    row("blocks", ({ blocks }) => formatCount(blocks)),
    row("parameters", ({ parameters }) => formatCount(parameters)),
    row(`stored, ${profile.storedDtype}`, ({ storedBytes }) => formatBytes(storedBytes)),
    row("KV cache a token", ({ kvBytesPerToken }) => formatBytes(kvBytesPerToken)),
    row("peak memory", ({ peakBytes }) => formatBytes(peakBytes)),
    row("reading, tokens/s", ({ prefill }) => speedOf(prefill)),
    ...dense.decode.map(({ batchSize }, index) =>
      row(`writing ${batchSize}, tokens/s`, ({ decode }) => speedOf(decode[index] as Speed)),
    ),
  ];
  const { device, dtype, threads, promptTokens, contextTokens, newTokens, rounds, seconds } = profile;
  return [
    `Removed: ${removed.join(", ") || "nothing"}`,
    renderTable(columns, rows),
    `Medians of ${rounds} rounds (quartiles), and the ratio to dense of the same rounds; ${dtype} on ${device}, ${threads} threads; ` +
      `${promptTokens} tokens read, ${newTokens} written behind ${contextTokens}. ${formatSeconds(seconds)}`,
  ].join("\n\n");
}

function speedOf({ tokensPerSecond: { median, lowerQuartile, upperQuartile }, againstDense }: Speed): string {
  const [low, middle, high] = [lowerQuartile, median, upperQuartile].map((value) => value.toFixed(1));
  return `${middle} (${low} - ${high}) x${againstDense.median.toFixed(2)}`;
}
