import { type Command, Option } from "commander";
import { type CheckExportOptions, exportRuntimes, type RuntimeCheck } from "../index.ts";
import { formatBytes, renderTable } from "../report/index.ts";
import { onnxDtypes } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { withWorker } from "./remote.ts";

interface Flags extends Pick<CheckExportOptions, "trustRemoteCode" | "dtype" | "runtime"> {
  json: boolean;
}

export function registerCheck(command: Command): void {
  command
    .argument("<path>", "a folder or GGUF file that `depthkit export` wrote")
    .addOption(new Option("--dtype <name>", "ONNX: which graph (default: the widest)").choices(onnxDtypes))
    .addOption(
      new Option(
        "--runtime <name>",
        "what loads it (default: transformers for a checkpoint, onnxruntime for graphs)",
      ).choices(exportRuntimes),
    )
    .option("--trust-remote-code", "run the modelling file that lies in a folder of depthkit's own layout")
    .option("--json", "print one JSON document", false)
    .action((path: string, flags: Flags) =>
      runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const { trustRemoteCode, dtype, runtime } = flags;
          const options = {
            signal,
            onProgress: progress.update,
            ...(trustRemoteCode && { trustRemoteCode }),
            dtype,
            runtime,
          };
          const check = await kit.checkExport(path, options);
          return { json: check, text: checkTable(check, null) };
        }),
      ),
    );
}

/** What was written in the software that it is for, and the whole model there, where it was looked at. */
export function checkTable(written: RuntimeCheck, whole: RuntimeCheck | null): string {
  const checks = whole === null ? [written] : [written, whole];
  const row = (name: string, show: (check: RuntimeCheck) => string) => [name, ...checks.map(show)];
  return renderTable(
    [
      { title: written.runtime },
      { title: "written", align: "right" },
      ...(whole === null ? [] : [{ title: "whole model", align: "right" } as const]),
    ],
    [
      ...answerRows.map(([name, show]) => row(name, show)),
      row("text in the same tokens", ({ sameTokens }) =>
        sameTokens === null ? "not asked" : sameTokens ? "yes" : "no",
      ),
    ],
  );
}

type Answers = Omit<RuntimeCheck, "runtime" | "sameTokens" | "seconds">;

/** What any software answers, a row each. */
export const answerRows: readonly (readonly [name: string, show: (answers: Answers) => string])[] = [
  ["largest difference of log-probabilities", ({ largestDifference }) => largestDifference.toPrecision(3)],
  ["likeliest next tokens that agree", ({ agreement }) => percent(agreement)],
  ["written tokens as in memory", ({ written }) => percent(written)],
  ["written tokens with and without cache", ({ cached }) => percent(cached)],
  [
    "likeliest tokens in a batch padded on the left",
    ({ leftPadded }) => (leftPadded === null ? "not asked" : percent(leftPadded)),
  ],
  [
    "KV cache per token",
    ({ kvBytesPerToken }) => (kvBytesPerToken === null ? "not said" : formatBytes(kvBytesPerToken)),
  ],
];

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
