import type { Command } from "commander";
import { runPlan } from "../index.ts";
import { type CommandContext, type Output, runCommand } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { readPlan } from "./read-plan.ts";
import { withWorker } from "./remote.ts";
import { describeStudy, failuresOf } from "./study-text.ts";
import { studyView } from "./terminal/study-view.ts";

interface Flags {
  out: string;
  json: boolean;
}

export function registerRun(command: Command): void {
  command
    .argument("<plan>", "a .json, .yaml or .yml file; schemas/plan.schema.json says what it may hold")
    .requiredOption("--out <folder>", "for journals and the record; the same command goes on from it")
    .option("--json", "print one JSON document", false)
    .action(async (file: string, flags: Flags) => {
      const view = studyView();
      const run = async ({ signal }: CommandContext): Promise<Output> => {
        const plan = await readPlan(file);
        return await withWorker(signal, async (kit) => {
          const record = await runPlan(kit, plan, {
            folder: flags.out,
            signal,
            onProgress: view.update,
            onEvent: view.event,
          });
          // What could not be done is in the record, and the exit code says that there is something.
          const exitCode = failuresOf(record).length === 0 ? exitCodes.done : exitCodes.failed;
          return { json: record, text: describeStudy(record, flags.out), exitCode };
        });
      };
      await runCommand({ ...flags, journal: flags.out }, run, view);
    });
}
