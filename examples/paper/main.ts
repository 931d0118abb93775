/**
 * The study of "A deeper look at depth pruning of LLMs" (arXiv 2407.16286) on the bundled model: ranked,
 * removed, repaired and measured, with a report that ends with the paper's claims. Takes half an hour on two
 * cores, and a few minutes with `--quick`; an interrupted study goes on.
 *
 *   npx tsx examples/paper/main.ts [--quick] [--out FOLDER] [--model M] [--questions mmlu.jsonl]
 *
 * Without `--calibration` and `--text` the Python language reference is read, which needs no download.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { Depthkit, paperPlan, pythonReference, runPlan } from "depthkit";
import { renderReport, studyReport } from "depthkit/report";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    out: { type: "string", default: "runs/paper" },
    model: { type: "string", default: "smollm2-135m" },
    calibration: { type: "string" },
    text: { type: "string" },
    questions: { type: "string" },
  },
});
const chapters = await pythonReference();
const every = (start: number) => ({ texts: chapters.filter((_, index) => index % 2 === start) });

await using kit = await Depthkit.start();
const model = await kit.loadModel(given.model);
const plan = paperPlan({
  model: given.model,
  depth: model.depth,
  calibration: given.calibration ?? every(0),
  text: given.text ?? every(1),
  questions: given.questions,
  length: Math.min(512, model.info.contextLength ?? 512),
  quick: given.quick,
});
await model.close();
const record = await runPlan(kit, plan, {
  folder: given.out,
  onEvent: (event) =>
    console.log(event.kind === "step" ? `${event.seconds.toFixed(1)} s  ${event.step}` : event),
});
const report = studyReport([record]);
for (const [name, bytes] of await renderReport(report)) {
  const path = join(given.out, "report", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
for (const { verdict, claim, measured, interval } of report.verdicts?.claims ?? []) {
  console.log(`${verdict.padEnd(14)}  ${claim}  ${[measured, interval].filter(Boolean).join(", ")}`);
}
console.log(join(given.out, "report/report.html"));
process.exitCode = record.results.every(({ error }) => error === null) ? 0 : 1;
