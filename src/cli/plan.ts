import type { Command } from "commander";
import { planStudy } from "../index.ts";
import { runCommand } from "./command.ts";
import { readPlan } from "./read-plan.ts";
import { withWorker } from "./remote.ts";
import { describeCost } from "./study-cost-text.ts";

interface Flags {
  out?: string;
  json: boolean;
}

export function registerPlan(command: Command): void {
  command
    .argument("<plan>", "a .json, .yaml or .yml file; schemas/plan.schema.json says what it may hold")
    .option(
      "--out <folder>",
      "of the run: what is done there costs nothing, and its record will say how far off this was",
    )
    .option("--json", "print one JSON document", false)
    .action(async (file: string, flags: Flags) => {
      await runCommand({ ...flags, journal: flags.out }, async ({ signal, progress }) => {
        const plan = await readPlan(file);
        return await withWorker(signal, async (kit) => {
          const cost = await planStudy(kit, plan, {
            folder: flags.out,
            signal,
            onProgress: progress.update,
          });
          return { json: cost, text: describeCost(cost) };
        });
      });
    });
}
