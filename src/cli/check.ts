import type { Command } from "commander";
import type { RuntimeCheck } from "../index.ts";
import { formatBytes, renderTable } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { withWorker } from "./remote.ts";

export function registerCheck(command: Command): void {
  command
    .argument("<path>", "a folder or GGUF file that `depthkit export` wrote")
    .option("--trust-remote-code", "run the modelling file that lies in a folder of depthkit's own layout")
    .option("--json", "print one JSON document", false)
    .action((path: string, flags: { json: boolean; trustRemoteCode?: boolean }) =>
      runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const { trustRemoteCode } = flags;
          const options = {
            signal,
            onProgress: progress.update,
            ...(trustRemoteCode && { trustRemoteCode }),
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
      row("largest difference of log-probabilities", (check) => check.largestDifference.toPrecision(3)),
      row("likeliest next tokens that agree", (check) => percent(check.agreement)),
      row("written tokens as in memory", (check) => percent(check.written)),
      row("written tokens with and without cache", (check) => percent(check.cached)),
      row("text in the same tokens", ({ sameTokens }) =>
        sameTokens === null ? "not asked" : sameTokens ? "yes" : "no",
      ),
      row("KV cache per token", ({ kvBytesPerToken }) =>
        kvBytesPerToken === null ? "not said" : formatBytes(kvBytesPerToken),
      ),
    ],
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
