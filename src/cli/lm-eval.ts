import type { Command } from "commander";
import { formatSeconds, type HarnessResult, renderTable } from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { share } from "./evaluation-text.ts";
import { wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  tasks: string[];
  limit?: number;
  shots?: number;
  batchSize: number;
  includePath?: string;
}

export function registerLmEval(program: Command): void {
  const command = program
    .command("lm-eval")
    .description(
      "Evaluate with lm-evaluation-harness, by its own rules (needs `depthkit setup --with lm-eval`).",
    );
  addSubjectFlags(command)
    .requiredOption("--tasks <names...>", "tasks, groups or tags of lm-eval, or patterns such as mmlu_*")
    .option("--limit <n>", "items of each task, from the front", wholeNumber(1))
    .option("--shots <n>", "examples in front of each item (default: what the task says)", wholeNumber(0))
    .option("--batch-size <n>", "items at a time", wholeNumber(1), 1)
    .option("--include-path <folder>", "task files (.yaml) of your own")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const { tasks, limit, shots, batchSize, includePath } = flags;
          const result = await subnetwork.lmEval({
            tasks,
            batchSize,
            ...(limit === undefined ? {} : { limit }),
            ...(shots === undefined ? {} : { shots }),
            ...(includePath === undefined ? {} : { includePath }),
            ...call,
          });
          const { removed, repairs } = subnetwork;
          return { json: { model: model.info, removed, repairs, ...result }, text: describe(result) };
        }),
      );
    });
}

function describe({ tasks, lmEvalVersion, batchSize, seconds }: HarnessResult): string {
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
  return `${table}\n\nlm-eval ${lmEvalVersion}, batch size ${batchSize}; ${formatSeconds(seconds)}`;
}
