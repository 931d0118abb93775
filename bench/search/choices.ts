/**
 * What each way to choose is worth: SmolLM2-135M without some of its 30 blocks, or without 10 of its 60
 * sublayers, chosen on draws of WikiText-2's training part and scored, with nothing in place of what went, on
 * text of three kinds and on questions of ARC-easy. Errors are over draws, paired with greedy's choice of the
 * same draw. What is done is kept in the folder, where an interrupted bench goes on: bench/search/measured
 * has what was done so far.
 *
 *   npx tsx bench/search/choices.ts FOLDER [--counts 6,8,4,10] [--draws 5] [--sublayers 10] [--ways a,b,...]
 *     [--precision screen] [--questions 200]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Corpus, Depthkit, type ModelSearchOptions, type Task } from "../../src/index.ts";
import { StepsFile } from "../../src/journal/steps-file.ts";
import { FitInfluence } from "../../src/model/search/fit-influence.ts";
import { searchModel } from "../../src/model/search/search.ts";
import { renderTable } from "../../src/report/index.ts";
import { meanOf, pairedDifference } from "../../src/selection/choice-certainty.ts";
import { heldOutTexts, sharedData } from "../shared-data.ts";

const {
  positionals: [folder],
  values: given,
} = parseArgs({
  allowPositionals: true,
  options: {
    counts: { type: "string", default: "6,8,4,10" },
    draws: { type: "string", default: "5" },
    sublayers: { type: "string", default: "10" },
    ways: { type: "string" },
    precision: { type: "string", default: "exact" },
    questions: { type: "string", default: "0" },
  },
});
if (folder === undefined) throw new Error("Name a folder to keep what is done in.");
const precision = z.enum(["exact", "screen"]).parse(given.precision);
const calibration = sharedData("calib_wikitext2_train.jsonl");

const scored = join(folder, "scored");

type Way = Partial<ModelSearchOptions>;
/** Half of the units, those of least cosine, may go where a search looks at sets. */
const half = (units: number): Way => ({ candidates: units / 2 });
const ofBlocks: Readonly<Record<string, Way>> = {
  greedy: { strategy: "greedy", ...half(30) },
  beam: { strategy: { name: "beam", width: 3 }, ...half(30) },
  surrogate: { strategy: "surrogate", evaluations: 40, ...half(30) },
  "surrogate-20": { strategy: "surrogate", evaluations: 20, ...half(30) },
  evolutionary: { strategy: "evolutionary", evaluations: 120, ...half(30) },
  "policy-gradient": { strategy: "policy-gradient", evaluations: 120, ...half(30) },
  iterative: { strategy: "iterative", ...half(30) },
  ...Object.fromEntries(
    (
      ["tail", "random", "shortgpt", "deeper-layers", "llm-streamline", "lorp", "xmerge", "taylor+"] as const
    ).map((recipe) => [recipe, { recipe }]),
  ),
  "shortened-llama": { recipe: "shortened-llama" },
  sleb: { recipe: "sleb" },
};
const kinds = ["attention", "feed-forward"] as const;
const ofSublayers: Readonly<Record<string, Way>> = {
  greedy: { players: kinds, strategy: "greedy", ...half(60) },
  surrogate: { players: kinds, strategy: "surrogate", evaluations: 80, ...half(60) },
  cosine: { players: kinds, strategy: "lowest", scores: { metric: "cosine" } },
  taylor: { players: kinds, strategy: "lowest", scores: { metric: "taylor" } },
  random: { players: kinds, strategy: "random" },
  blockpruner: { recipe: "blockpruner" },
};
const wanted = given.ways?.split(",");
const chosen = (ways: Readonly<Record<string, Way>>) =>
  Object.entries(ways).filter(([name]) => wanted === undefined || wanted.includes(name));

const outcome = z.object({
  removed: z.array(z.string()),
  losses: z.record(z.string(), z.number()),
  evaluations: z.number(),
  blockEvaluations: z.number(),
  seconds: z.number(),
});
type Outcome = z.infer<typeof outcome>;

await using steps = await StepsFile.open(join(folder, "steps.jsonl"));
await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m", { device: "cpu" });
const scoredOn = new Map<string, Corpus>();
for (const [name, data] of Object.entries(await heldOutTexts())) {
  scoredOn.set(name, await model.loadCorpus(data, { sequences: 16, length: 512 }));
}
const limit = Number(given.questions);
const questions = limit > 0 ? await model.loadTask(sharedData("arc_easy.jsonl"), { shots: 5, limit }) : null;
// Without counts: sublayers alone.
for (const count of given.counts.split(",").filter(Boolean).map(Number))
  await compare(`${count} of 30 blocks`, count, ofBlocks);
const sublayers = Number(given.sublayers);
if (sublayers > 0) await compare(`${sublayers} of 60 sublayers`, sublayers, ofSublayers);

async function compare(title: string, budget: number, ways: Readonly<Record<string, Way>>): Promise<void> {
  const found = new Map<string, Outcome[]>(chosen(ways).map(([name]) => [name, []]));
  for (let draw = 0; draw < Number(given.draws); draw++) {
    const split = { fit: 32, choose: [2, 8], length: 512, draw };
    await using parts = await model.splitText(calibration, split);
    const { fit, choose: chooseOn } = parts;
    if (fit === undefined) throw new Error("There is a part to fit to.");
    // Measured where the first way needs it, and then known to all: it is in none's sets and seconds.
    const influence = new FitInfluence(model.subject, fit);
    for (const [name, way] of chosen(ways)) {
      // What was kept before releases took parts from all over the text is not of the same draws.
      const key = { title, budget, draw, name, way, precision, parts: "spread" };
      const on = { ...way, budget, fit, choose: chooseOn, precision };
      found.get(name)?.push(await steps.step(key, outcome, () => choose(on, influence)));
    }
    console.log(`\nWithout ${title}, ${draw + 1} draws; loss in nats per token\n\n${table(found)}`);
  }
  if (questions !== null) await ask(questions, title, found);
}

/** All sets at once: they share what lies below their first unit. It decides nothing, so it is screened. */
async function ask(task: Task, title: string, found: ReadonlyMap<string, readonly Outcome[]>): Promise<void> {
  const sets: (readonly string[])[] = [[], ...[...found.values()].flat().map(({ removed }) => removed)];
  const asked = { measures: ["accuracy"] as const, precision: "screen" as const, journal: scored };
  const { scores } = await model.evaluateSubnetworks(task, sets, asked).result;
  const percents = new Map(
    scores.map(({ values }, at) => [sets[at]?.join(), 100 * (values.accuracy ?? Number.NaN)]),
  );
  const right = (of: readonly (readonly string[])[]) =>
    meanOf(of.map((set) => percents.get(set.join()) ?? Number.NaN)).toFixed(1);
  const rows = [
    ["nothing removed", right([[]])],
    ...[...found].map(([name, outcomes]) => [name, right(outcomes.map(({ removed }) => removed))]),
  ];
  const { items, shots } = task.info;
  console.log(`\nWithout ${title}, ${items} questions of ARC-easy, ${shots} shots, percent right\n`);
  console.log(renderTable([{ title: "" }, { title: "right", align: "right" }], rows));
}

async function choose(options: ModelSearchOptions, influence: FitInfluence): Promise<Outcome> {
  await influence.static({}, true);
  const started = performance.now();
  // No journal: each way pays for what it looks at.
  const { removed, evaluations, blockEvaluations } = await searchModel(
    model.subject,
    options,
    () => null,
    influence,
  );
  const seconds = (performance.now() - started) / 1000;
  const losses: Record<string, number> = {};
  for (const [name, corpus] of scoredOn) {
    // Ways that chose the same set share what it is worth.
    const { scores } = await model.evaluateSubnetworks(corpus, [removed], { journal: scored }).result;
    losses[name] = scores[0]?.values.loss ?? Number.NaN;
  }
  return { removed: [...removed], losses, evaluations, blockEvaluations, seconds };
}

function table(found: ReadonlyMap<string, readonly Outcome[]>): string {
  const greedy = found.get("greedy");
  const right = (title: string) => ({ title, align: "right" as const });
  const texts = [...scoredOn.keys()];
  const rows = [...found].map(([name, outcomes]) => [
    name,
    ...texts.flatMap((text) => {
      const losses = outcomes.map((one) => one.losses[text] ?? Number.NaN);
      const above = pairedDifference(
        losses,
        losses.map((_, at) => greedy?.[at]?.losses[text] ?? Number.NaN),
      );
      return [meanOf(losses).toFixed(3), `${above.mean.toFixed(3)} ± ${above.standardError.toFixed(3)}`];
    }),
    meanOf(outcomes.map((one) => one.evaluations)).toFixed(0),
    meanOf(outcomes.map((one) => one.blockEvaluations)).toFixed(0),
    meanOf(outcomes.map((one) => one.seconds)).toFixed(0),
  ]);
  const columns = texts.flatMap((text) => [right(text), right("above greedy")]);
  return renderTable(
    [{ title: "" }, ...columns, right("sets"), right("block evaluations"), right("seconds")],
    rows,
  );
}
