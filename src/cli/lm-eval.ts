import type { Command } from "commander";
import type { HarnessResult } from "../index.ts";
import { formatSeconds, renderTable } from "../report/index.ts";
import { harnessOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { share } from "./evaluation-text.ts";
import { addTokensFlag, type TokensFlag, withTokens } from "./first-tokens.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, TokensFlag {
  tasks: string[];
}

const styles = { tasks: false } as const;

export function registerLmEval(command: Command): void {
  addTokensFlag(addSubjectFlags(command)).requiredOption(
    "--tasks <names...>",
    "tasks, groups or tags of lm-eval, or patterns such as mmlu_*",
  );
  addSchemaFlags(command, harnessOptions, styles).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const { model, subnetwork } = await loadSubject(kit, flags, call);
        const options = schemaOptions(harnessOptions, flags, styles);
        const result = await subnetwork.lmEval({ tasks: flags.tasks, ...options, ...call });
        const { removed, repairs } = subnetwork;
        return {
          json: { model: model.info, removed, repairs, ...result },
          text: withTokens(describe(result), flags, [
            { name: "the first request", firstTokens: result.firstTokens },
          ]),
        };
      }),
    );
  });
}

function describe({ tasks, lmEvalVersion, chatTemplate, batchSize, seconds }: HarnessResult): string {
  const rows = tasks.flatMap(({ task, version, shots, items, metrics }) =>
    metrics.map(({ name, filter, value, standardError }) => [
      task,
      version ?? "",
      String(shots ?? ""),
      String(items ?? ""),
      filter === "none" ? name : `${name} (${filter})`,
      share(value, standardError),
    ]),
  );
  const table = renderTable(
    [
      { title: "task" },
      { title: "version" },
      { title: "shots", align: "right" },
      { title: "items", align: "right" },
      { title: "metric" },
      { title: "value", align: "right" },
    ],
    rows,
  );
  const asked = chatTemplate ? ", in the chat template" : "";
  return `${table}\n\nlm-eval ${lmEvalVersion}, batch size ${batchSize}${asked}; ${formatSeconds(seconds)}`;
}
