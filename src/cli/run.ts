import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Command } from "commander";
import { DepthkitError, type Plan, type RunRecord, runPlan } from "../index.ts";
import { formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";

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
          });
          return { json: record, text: describe(record, flags.out) };
        });
      });
    });
}

const exampleText = `
Example, with a plan of six lines:
  model: { source: smollm2-135m }
  calibration: { data: calibration.jsonl, sequences: 32, length: 512 }
  choose: { units: block, metric: cosine, counts: [1, 3, 5] }
  evaluation: { data: test.txt, chunk: 512 }
  prompts: [A prime number is]
  generation: { maxNewTokens: 16 }

  npx depthkit run plan.yaml --out runs/first`;

/** What a file says; whether it is a plan, `runPlan` looks at before it does anything. */
async function readPlan(file: string): Promise<Plan> {
  const refuse = (why: string, cause?: unknown) =>
    new DepthkitError("INVALID_ARGUMENT", `Reading the plan ${file}: ${why}`, { cause });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw refuse(`${(error as Error).message}. Check the path.`, error);
  }
  try {
    switch (extname(file)) {
      case ".json":
        return JSON.parse(text) as Plan;
      case ".yaml":
      case ".yml":
        return (await import("yaml")).parse(text) as Plan;
    }
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
  throw refuse("a plan is a .json, .yaml or .yml file.");
}

function describe({ model, corpus, plan, removals, startedAt, finishedAt }: RunRecord, folder: string) {
  const [whole] = removals;
  const scores = whole?.perplexity;
  const rows = removals.map(({ removed, perplexity, generation }) => [
    removed.length === 0 ? "nothing" : removed.join(", "),
    formatNumber(Number(perplexity.perplexity)),
    formatNumber(perplexity.loss),
    generation?.generations[0]?.text.trim().slice(0, 40) ?? "",
  ]);
  const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  return [
    `${model.source}: ${plan.choose.units} units of least ${plan.choose.metric} on ${corpus.sequences} x ` +
      `${corpus.length} tokens`,
    ...(scores === undefined
      ? []
      : [
          `perplexity on ${scores.chunks} chunks of ${scores.chunk} tokens, stride ${scores.stride}, BOS ` +
            `${scores.bosAdded ? "added" : "not added"}, ${scores.tokensScored} tokens scored`,
        ]),
    "",
    renderTable(
      [
        { title: "removed" },
        { title: "perplexity", align: "right" },
        { title: "loss", align: "right" },
        { title: plan.prompts[0] === undefined ? "" : `after "${plan.prompts[0].slice(0, 30)}"` },
      ],
      rows,
    ),
    ...noteLines(model.notes),
    "",
    `The record: ${join(folder, "record.json")}, after ${formatSeconds(seconds)}`,
  ].join("\n");
}
