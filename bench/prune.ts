/**
 * What `prune` makes beside every recipe, at the same size and on the same text: SmolLM2-135M without some of
 * its 30 blocks, chosen and repaired on WikiText-2's training part, over draws of it, and scored on text of
 * three kinds and on questions. What is done is kept in the folder, where an interrupted bench goes on.
 *
 *   npx tsx bench/prune.ts FOLDER [--counts 6,8,4,10] [--draws 5] [--first-draw 0]
 *     [--compare tail,cosine,...] [--chunks 32] [--strategy surrogate] [--evaluations 40] [--rank 128]
 *     [--precision screen] [--questions 200]
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  baselineNames,
  Depthkit,
  type PruneOptions,
  type PruneRecord,
  prune,
  pruneRecipeNames,
} from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { meanOf, pairedDifference } from "../src/selection/choice-certainty.ts";
import { heldOutTexts, sharedData, sharedRows } from "./shared-data.ts";

const {
  positionals: [folder],
  values: given,
} = parseArgs({
  allowPositionals: true,
  options: {
    counts: { type: "string", default: "6,8,4,10" },
    draws: { type: "string", default: "5" },
    "first-draw": { type: "string", default: "0" },
    compare: { type: "string" },
    chunks: { type: "string", default: "32" },
    rank: { type: "string" },
    strategy: { type: "string" },
    evaluations: { type: "string" },
    precision: { type: "string", default: "exact" },
    questions: { type: "string", default: "0" },
  },
});
if (folder === undefined) throw new Error("Name a folder to keep what is done in.");
const calibration = sharedData("calib_wikitext2_train.jsonl");

const all = [...baselineNames, ...pruneRecipeNames];
/** Trained recipes take an hour each on two cores, so they are there where they are named. */
const names = given.compare?.split(",") ?? all.filter((name) => name !== "partial-tail");
const baselines = all.filter((name) => names.includes(name));
const texts = await heldOutTexts();
const asked = Number(given.questions);
const tasks = asked > 0 ? { "ARC-easy": { rows: sharedRows("arc_easy.jsonl").slice(0, asked) } } : {};
/** As options say it; what cannot be is refused there. */
const varied: Partial<PruneOptions> = {
  precision: given.precision as PruneOptions["precision"],
  strategy: given.strategy as PruneOptions["strategy"],
  evaluations: given.evaluations === undefined ? undefined : Number(given.evaluations),
  repair: given.rank === undefined ? undefined : { method: "low-rank", rank: Number(given.rank) },
};

const records = new Map<number, PruneRecord[]>();
const firstDraw = Number(given["first-draw"]);
for (let draw = firstDraw; draw < firstDraw + Number(given.draws); draw++) {
  for (const count of given.counts.split(",").map(Number)) {
    const record = await pruned(join(folder, `${count}-blocks-draw-${draw}`), count, draw);
    const known = records.get(count) ?? [];
    records.set(count, [...known, record]);
    console.log(`\nWithout ${count} blocks, ${known.length + 1} draws\n\n${table(records.get(count) ?? [])}`);
  }
}

async function pruned(place: string, count: number, draw: number): Promise<PruneRecord> {
  const path = join(place, "record.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as PruneRecord;
  await using kit = await Depthkit.start();
  const out = join(place, "model");
  const record = await prune(kit, {
    model: "smollm2-135m",
    load: { device: "cpu" },
    budget: count,
    data: calibration,
    text: { draw },
    folder: place,
    out,
    baselines,
    ...varied,
    evaluate: { texts, tasks, maxChunks: Number(given.chunks), beside: "all" },
    onEvent: (event) => {
      if (event.kind === "contender") console.log(`${event.contender.name}: ${event.contender.repairedLoss}`);
    },
  });
  rmSync(out, { recursive: true });
  return record;
}

/**
 * Losses in nats and shares of right answers, and how far each lies above the search's over draws, with its
 * standard error.
 */
function table(of: readonly PruneRecord[]): string {
  const kinds = [...Object.keys(texts), ...Object.keys(tasks)];
  const lossOn = (record: PruneRecord, kind: string, name: string): number => {
    const scores = record.proof.find((one) => one.name === kind)?.beside;
    const found = scores?.find(({ contender }) => contender === name)?.scores;
    if (found === undefined) return Number.NaN;
    return "loss" in found ? found.loss : "acc" in found ? found.acc.micro : Number.NaN;
  };
  const rows = [...baselines, "search"].map((name) => [
    name,
    ...kinds.flatMap((kind) => {
      const losses = of.map((record) => lossOn(record, kind, name));
      const above = pairedDifference(
        losses,
        of.map((record) => lossOn(record, kind, "search")),
      );
      return [meanOf(losses).toFixed(3), `${above.mean.toFixed(3)} ± ${above.standardError.toFixed(3)}`];
    }),
  ]);
  const right = (title: string) => ({ title, align: "right" as const });
  return renderTable([{ title: "" }, ...kinds.flatMap((kind) => [right(kind), right("above search")])], rows);
}
