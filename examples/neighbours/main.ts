/**
 * What the neighbours of the paper add, each beside its controls on the bundled model: other ways to choose
 * blocks, small networks in place of spans, feed-forward skipping, and routes. Leaves a report that ends with
 * their claims. An interrupted study goes on.
 *
 *   npx tsx examples/neighbours/main.ts [--quick] [--out FOLDER] [--model M] [--text NAME=FILE ...]
 *
 * Without `--text` three parts of the Python language reference are read, which needs no download; give three
 * kinds of text to learn something of routes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { Depthkit, definePlan, pythonReference, runPlan, type TextData } from "depthkit";
import { renderReport, studyReport } from "depthkit/report";
import { choicesOf } from "./choices.ts";
import { policiesOf } from "./policies.ts";
import { routesOf } from "./routes.ts";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    out: { type: "string", default: "runs/neighbours" },
    model: { type: "string", default: "smollm2-135m" },
    text: { type: "string", multiple: true },
  },
});
const { quick, out } = given;

async function readTexts(): Promise<Record<string, TextData>> {
  if (given.text !== undefined) {
    return Object.fromEntries(given.text.map((one) => [one.split("=")[0], one.slice(one.indexOf("=") + 1)]));
  }
  const chapters = await pythonReference();
  const part = (start: number) => ({ texts: chapters.filter((_, index) => index % 3 === start) });
  return { first: part(0), second: part(1), third: part(2) };
}

await using kit = await Depthkit.start();
const model = await kit.loadModel(given.model);
const texts = await readTexts();
const [calibration] = Object.values(texts);
if (calibration === undefined) throw new Error("Give at least one --text NAME=FILE.");
const half = Math.ceil(model.depth / 2);
const tenth = Math.max(1, Math.round(model.depth / 10));
const training = { steps: quick ? 8 : 100, batchSize: 2, validation: 0 };
const plan = definePlan({
  title: "What the neighbours of the paper add",
  model: given.model,
  calibration: { data: calibration, sequences: quick ? 4 : 16, length: 128, choose: [quick ? 2 : 8] },
  rankings: [
    { by: "influence", name: "cosine" },
    { by: "influence", name: "Taylor", metric: "taylor" },
    { by: "influence", name: "gate", metric: "gate" },
    { by: "search", recipe: "xmerge" },
    { by: "search", recipe: "lorp" },
    // A hundred batches with gradients.
    ...(quick
      ? []
      : [{ by: "search", name: "learned gates", strategy: "learned-gates", candidates: half } as const]),
    { by: "search", recipe: "tail" },
    { by: "search", name: "random", strategy: "random", protect: "ends" },
  ],
  removals: [tenth, 2 * tenth],
  repairs: (["block", "feed-forward", "swiglu"] as const).map((kind) => ({
    name: `${kind} in the gap`,
    steps: [{ method: "replacement-block", kind, training } as const],
    where: { rankings: ["cosine"], counts: [tenth] },
  })),
  // The calibration's text first: what was chosen on one kind of text is measured on others too.
  evaluations: Object.entries(texts).map(([name, data]) => ({
    kind: "perplexity",
    name,
    data,
    chunk: 128,
    maxChunks: quick ? 4 : 32,
  })),
});
const record = await runPlan(kit, plan, {
  folder: join(out, "study"),
  onEvent: (event) => event.kind === "step" && console.log(`${event.seconds.toFixed(1)} s  ${event.step}`),
});
const policies = await policiesOf(model, texts, quick);
const routes = await routesOf(model, texts, quick, join(out, "routes"));

const report = studyReport([record]);
const claims = [...choicesOf(record), ...policies.claims, ...routes.claims];
const files = await renderReport({
  ...report,
  sections: [...report.sections, policies.section, routes.section],
  verdicts: {
    heading: "What the neighbours claim",
    introduction: "As far as this model and these texts can tell.",
    claims,
    rule:
      "A claim held where its number is more than two standard errors on the claim's side of 0 on every " +
      "text, did not hold where it is so on the other side on one, and cannot be told otherwise. With one " +
      "draw of the calibration text nothing is said of draws.",
  },
});
for (const [name, bytes] of files) {
  const path = join(out, "report", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
for (const { verdict, claim, measured } of claims)
  console.log(`${verdict.padEnd(14)}  ${claim}  ${measured ?? ""}`);
console.log(join(out, "report/report.html"));
process.exitCode = record.results.every(({ error }) => error === null) ? 0 : 1;
