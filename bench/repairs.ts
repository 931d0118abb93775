/**
 * What each repair wins and costs: SmolLM2-135M without 1 to 10 of its 30 blocks, chosen by cosine influence
 * and by Shapley value, repaired on WikiText-2's training part and scored on its test part. What is done is
 * kept in the folder, where an interrupted bench goes on; `table.md` there holds what there is so far.
 *
 *   npx tsx bench/repairs.ts FOLDER            the table: hours on two cores, the most telling part first
 * (Linux)
 *   npx tsx bench/repairs.ts FOLDER --memory   the peak of each method on 32 and on 320 sequences
 *   npx tsx bench/repairs.ts FOLDER --masked   LoRA's masked experts beside its dropout, three seeds
 *
 * --device cuda and --dtype bfloat16 take another device and dtype; --steps, --batch-size, --sequences and
 * --length train and fit on more, or less; --counts 5,10 does these numbers of blocks only.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Corpus, Depthkit, type Model } from "../src/index.ts";
import { StepsFile } from "../src/journal/steps-file.ts";
import { estimateShapley } from "../src/shapley/index.ts";
import { printMasked } from "./repairs/masked.ts";
import { printMemory } from "./repairs/memory.ts";
import { closedForm, type Method, prunedReference, trained } from "./repairs/methods.ts";
import { RepairBench } from "./repairs/run.ts";
import { mean, type Result, renderResults } from "./repairs/table.ts";
import { sharedData } from "./shared-data.ts";

const {
  positionals: [folder],
  values: given,
} = parseArgs({
  allowPositionals: true,
  options: {
    memory: { type: "boolean", default: false },
    masked: { type: "boolean", default: false },
    length: { type: "string", default: "256" },
    device: { type: "string", default: "cpu" },
    dtype: { type: "string", default: "float32" },
    counts: { type: "string" },
    steps: { type: "string", default: "24" },
    "batch-size": { type: "string", default: "1" },
    sequences: { type: "string", default: "32" },
  },
});
if (folder === undefined) throw new Error("Name a folder to keep what is done in.");
const [texts, unseenText] = [sharedData("calib_wikitext2_train.jsonl"), sharedData("wikitext2.test.txt")];

const fitted = { sequences: Number(given.sequences), length: Number(given.length) };
const scored = { places: 8, length: 512 };
const ranked = { sequences: 2, length: 128 };
/** Little by default, for a CPU: what a minute or two buys, with the usual learning rates. */
const steps = Number(given.steps);
const training = {
  steps,
  batchSize: Number(given["batch-size"]),
  validation: fitted.sequences / 16,
  validateEvery: steps / 2,
};
const [oneOfEach, otherRanks] = trained(training);
/** For one block it starts as the dense model, and training has nothing to do. */
const withoutReplacement = oneOfEach.filter(({ options }) => options.method !== "replacement-block");
/** Of all cores together. */
const budgets = [60, 240];
/** In this order; all of a stage's counts for both rankings before the next stage. */
const stages: { methods: readonly Method[]; counts: number[] }[] = [
  { methods: closedForm, counts: [1, 5] },
  { methods: withoutReplacement, counts: [1] },
  { methods: closedForm, counts: [10] },
  { methods: oneOfEach, counts: [5] },
  { methods: closedForm, counts: [2] },
  { methods: oneOfEach, counts: [10] },
  { methods: prunedReference, counts: [5] },
  { methods: closedForm, counts: [3, 8] },
  { methods: oneOfEach, counts: [2, 3] },
  { methods: otherRanks, counts: [5, 1, 10] },
  { methods: closedForm, counts: [4, 6, 7, 9] },
  { methods: prunedReference, counts: [2, 10] },
  { methods: oneOfEach, counts: [8, 4, 6, 7, 9] },
  { methods: otherRanks, counts: [2, 3, 8, 4, 6, 7, 9] },
];

const wanted = given.counts?.split(",").map(Number);

mkdirSync(folder, { recursive: true });
await using journal = await StepsFile.open(join(folder, "journal.jsonl"));
if (given.memory) await printMemory(texts, journal);
else await printTable(folder);
journal.close();

async function printTable(folder: string): Promise<void> {
  await using kit = await Depthkit.start();
  const model = await kit.loadModel("smollm2-135m", {
    dtype: given.dtype as "float32", // The worker says what is allowed.
    device: given.device as "cpu",
  });
  const corpus = await model.loadCorpus(texts, fitted);
  const places = await unseenPlaces(model);
  const bench = new RepairBench(kit.pid, model, corpus, places, journal, folder);
  if (given.masked) {
    await printMasked(model, await model.loadCorpus(texts, ranked), bench, training);
    console.log(`\n${protocolOf(model, corpus, places)} Load: ${bench.loads()}.`);
    return;
  }
  const rankings = Object.entries(await rank(model, folder));
  const results = new Map(rankings.map(([name]) => [name, new Map<number, Result[]>()]));
  const dense = await bench.score("dense", async () => [model.without([])]);
  for (const { methods, counts } of stages) {
    for (const count of counts.filter((one) => wanted?.includes(one) ?? true)) {
      for (const [name, order] of rankings) {
        const pruned = model.without(order.slice(0, count));
        const before = results.get(name)?.get(count) ?? [await bench.removed(pruned)];
        results.get(name)?.set(count, [...before, ...(await bench.run(pruned, methods))]);
        write();
      }
    }
  }
  console.log(write());

  function write(): string {
    const protocol =
      `${protocolOf(model, corpus, places)} Dense: ${Math.exp(mean(dense[0] ?? [])).toFixed(1)}. Load of the ` +
      `machine after a repair: ${bench.loads()}.`;
    const parts = rankings.map(([name, order]) => {
      const table = renderResults(results.get(name) ?? new Map(), budgets);
      return `## By ${name}\n${order.slice(0, 10).join(", ")}\n\n${table}`;
    });
    const text = [protocol, ...parts].join("\n\n");
    writeFileSync(join(folder, "table.md"), text);
    return text;
  }
}

function protocolOf(model: Model, corpus: Corpus, places: readonly Corpus[]): string {
  return (
    `SmolLM2-135M, ${model.info.dtype} on ${model.info.device}. Repairs: ${fitted.sequences} x ` +
    `${fitted.length} tokens of WikiText-2 train (sha256 of the tokens ` +
    `${corpus.info.tokensDigest.slice(0, 12)}), training ${JSON.stringify(training)}. ` +
    `Scores: ${scored.length} tokens at each of ${scored.places} places spread over WikiText-2 test, BOS ` +
    `${places[0]?.info.bosAdded}.`
  );
}

/** Corpora of one sequence each, so that differences have a standard error. */
function unseenPlaces(model: Model): Promise<Corpus[]> {
  const text = readFileSync(unseenText, "utf8");
  return Promise.all(
    Array.from({ length: scored.places }, (_, place) => {
      const start = text.indexOf("\n", Math.floor((place * text.length) / scored.places));
      const part = text.slice(start, start + 10 * scored.length); // more characters than the tokens take
      return model.loadCorpus({ texts: [part] }, { sequences: 1, length: scored.length });
    }),
  );
}

/** Blocks in the order they go. */
function rank(model: Model, folder: string): Promise<Record<string, string[]>> {
  return journal.step(
    { weights: model.info.weightsDigest, ranked },
    z.record(z.string(), z.array(z.string())),
    async () => {
      const corpus = await model.loadCorpus(texts, ranked);
      const influence = await model.influence(corpus, { units: "block", metric: "cosine" });
      await using game = await model.game(corpus, {
        players: "block",
        value: "loss",
        journal: join(folder, "game"),
      });
      const target = { horizon: 12 };
      const estimate = await estimateShapley(game, { target, cap: true, evaluations: 200, seed: 7 });
      return { "cosine influence": influence.lowest(model.depth), "Shapley value": estimate.ranking() };
    },
  );
}
