/**
 * What the neighbours of the paper add, each beside its controls on the bundled model: other ways to choose
 * blocks, small networks in place of spans, feed-forward skipping, and routes. Leaves a report that ends with
 * their claims. An interrupted study goes on.
 *
 *   npx tsx examples/neighbours/main.ts [--quick] [--without-gates] [--out FOLDER] [--model M]
 *     [--calibration FILE --text NAME=FILE ...]
 *
 * Everything is chosen and fitted on the calibration's text and measured on the others. Without these flags
 * four parts of the Python language reference are read, which needs no download; give three kinds of text to
 * learn something of routes. A JSONL file is read by its field `text`; `NAME=FILE#FIELD` reads another one.
 * `--without-gates` leaves out what takes longest: gates that are learned from a hundred batches with
 * gradients.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { Depthkit, definePlan, pythonReference, runPlan, type TextData } from "depthkit";
import { renderReport, studyReport } from "depthkit/report";
import { choicesOf } from "./choices.ts";
import { policiesOf, policyEvaluations, proposePolicies } from "./policies.ts";
import { routesOf } from "./routes.ts";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    "without-gates": { type: "boolean", default: false },
    out: { type: "string", default: "runs/neighbours" },
    model: { type: "string", default: "smollm2-135m" },
    calibration: { type: "string" },
    text: { type: "string", multiple: true, default: [] },
  },
});
const { quick, out } = given;

/** `NAME=FILE`, or `NAME=FILE#FIELD` for another field of a JSONL file than `text`. */
function textOf(flag: string): [name: string, text: TextData] {
  const [, name, file, textField] = /^([^=]+)=([^#]+)(?:#(.+))?$/.exec(flag) ?? [];
  if (name === undefined || file === undefined) {
    throw new Error(`--text ${flag}: expected NAME=FILE or NAME=FILE#FIELD, such as prose=wiki.txt.`);
  }
  return [name, textField === undefined ? file : { files: [file], textField }];
}

const chapters = await pythonReference();
/** Every fourth chapter, from these on. */
const chaptersFrom = (...starts: number[]): TextData => ({
  texts: chapters.filter((_, index) => starts.includes(index % 4)),
});
const calibration = given.calibration ?? chaptersFrom(0);
const texts: Record<string, TextData> =
  given.text.length === 0
    ? { first: chaptersFrom(1), second: chaptersFrom(2), third: chaptersFrom(3) }
    : { ...Object.fromEntries(given.text.map(textOf)), "Python reference": chaptersFrom(1, 2, 3) };

await using kit = await Depthkit.start();
const model = await kit.loadModel(given.model);
const half = Math.ceil(model.depth / 2);
/** Two or more: in place of one block alone a block would only be put back. */
const tenth = Math.max(2, Math.round(model.depth / 10));
/** As the paper trains them: on the streams of the whole model. */
const training = {
  steps: quick ? 8 : 100,
  batchSize: 2,
  validation: 0,
  objective: { kl: 0, hidden: 1 },
} as const;
const rank = Math.min(128, model.info.hiddenSize);
const span = { rankings: ["llm-streamline"], counts: [tenth] };
const policies = await proposePolicies(model, calibration, quick);
const plan = definePlan({
  title: "What the neighbours of the paper add",
  model: given.model,
  calibration: {
    data: calibration,
    sequences: quick ? 4 : 32,
    length: quick ? 64 : 128,
    choose: [quick ? 2 : 16],
  },
  rankings: [
    { by: "influence", name: "cosine" },
    { by: "influence", name: "Taylor", metric: "taylor" },
    { by: "influence", name: "gate", metric: "gate" },
    { by: "search", recipe: "llm-streamline" },
    { by: "search", recipe: "xmerge" },
    { by: "search", recipe: "lorp" },
    ...(quick || given["without-gates"]
      ? []
      : [{ by: "search", name: "learned gates", strategy: "learned-gates", candidates: half } as const]),
    { by: "search", recipe: "tail" },
    { by: "search", name: "random", strategy: "random", protect: "ends" },
  ],
  removals: [tenth, 2 * tenth],
  repairs: [
    ...(["block", "feed-forward", "swiglu"] as const).map((kind) => ({
      name: `${kind} in the gap`,
      steps: [{ method: "replacement-block", kind, training } as const],
      where: span,
    })),
    { name: "low-rank map in the gap", steps: [{ method: "low-rank", rank }], where: span },
  ],
  evaluations: [
    ...Object.entries(texts).map(
      ([name, data]) =>
        ({ kind: "perplexity", name, data, chunk: quick ? 64 : 128, maxChunks: quick ? 4 : 16 }) as const,
    ),
    ...policyEvaluations(texts, policies, quick),
  ],
});
const record = await runPlan(kit, plan, {
  folder: join(out, "study"),
  onEvent: (event) => event.kind === "step" && console.log(`${event.seconds.toFixed(1)} s  ${event.step}`),
});
const routes = await routesOf(model, texts, quick, join(out, "routes"));

const report = studyReport([record]);
const names = Object.keys(texts);
const claims = [...choicesOf(record, names), ...policiesOf(record, names, policies), ...routes.claims];
const files = await renderReport({
  ...report,
  sections: [...report.sections, routes.section],
  verdicts: {
    heading: "What the neighbours claim",
    introduction: "As far as this model and these texts can tell.",
    claims,
    rule:
      "A claim held where its number is more than two standard errors on the claim's side of 0 on every " +
      "text, did not hold where it is so on the other side on one, and cannot be told otherwise. Errors are " +
      "over the chunks of a text, for one draw of the calibration text and one seed of a training. Of forty " +
      "numbers that are 0 one is beyond two of its errors on either side.",
  },
});
for (const [name, bytes] of files) {
  const path = join(out, "report", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
for (const { verdict, claim, evidence } of claims) {
  console.log(`${verdict.padEnd(14)}  ${claim}  ${evidence}`);
}
for (const warning of record.warnings) console.log(warning);
console.log(join(out, "report/report.html"));
const failed = [...record.rankings, ...record.subnetworks, ...record.results].some(
  ({ error }) => error !== null,
);
process.exitCode = failed ? 1 : 0;
