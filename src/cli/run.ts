import type { Command } from "commander";
import { runPlan, type StudyEvent } from "../index.ts";
import { formatSeconds } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { readPlan } from "./read-plan.ts";
import { withWorker } from "./remote.ts";
import { describeStudy, failuresOf } from "./study-text.ts";

interface Flags {
  out: string;
  json: boolean;
}

export function registerRun(command: Command): void {
  command
    .argument("<plan>", "a .json, .yaml or .yml file; schemas/plan.schema.json says what it may hold")
    .requiredOption("--out <folder>", "for journals and the record; the same command goes on from it")
    .option("--json", "print one JSON document", false)
    .addHelpText("after", exampleText)
    .action(async (file: string, flags: Flags) => {
      await runCommand({ ...flags, journal: flags.out }, async ({ signal, progress }) => {
        const plan = await readPlan(file);
        return await withWorker(signal, async (kit) => {
          const record = await runPlan(kit, plan, {
            folder: flags.out,
            signal,
            onProgress: progress.update,
            onEvent: (event) => progress.print(describeEvent(event)),
          });
          // What could not be done is in the record, and the exit code says that there is something.
          const exitCode = failuresOf(record).length === 0 ? exitCodes.done : exitCodes.failed;
          return { json: record, text: describeStudy(record, flags.out), exitCode };
        });
      });
    });
}

const exampleText = `
Example, with a plan of six lines:
  model: smollm2-135m
  calibration: { data: calibration.jsonl, sequences: 32, length: 512 }
  rankings: [{ by: influence, metric: { each: [cosine, relative-l2] } }, { by: search, recipe: tail }]
  removals: [1, 2, 4, 8]
  repairs: [{ method: low-rank, rank: 32 }]
  evaluations: [{ kind: perplexity, data: test.txt, chunk: 512, maxChunks: 32 }]

  npx depthkit run plan.yaml --out runs/first`;

function describeEvent(event: StudyEvent): string {
  if (event.kind === "failed") return `failed   ${event.step}: ${event.message}`;
  return `${event.known ? "known" : "done"}     ${event.step} (${formatSeconds(event.seconds)})`;
}
