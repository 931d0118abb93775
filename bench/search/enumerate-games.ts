/**
 * Writes the games of the bench `search-enumerated`: all 4,096 subnetworks of twelve units of SmolLM2-135M,
 * the others always present, their loss in nats. Takes some tens of minutes on two cores.
 *
 *   npx tsx bench/search/enumerate-games.ts bench/search/games
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Depthkit, type UnitName } from "../../src/index.ts";
import { Coalition } from "../../src/shapley/index.ts";
import { sharedData } from "../shared-data.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("Name the folder to write the games to.");
const players = 12;

await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m", { device: "cpu", dtype: "float32" });
const passages = readFileSync(sharedData("boolq.jsonl"), "utf8")
  .split("\n")
  .slice(0, 40)
  .map((line) => String(JSON.parse(line).context));
const size = { sequences: 2, length: 128 };
const wikipedia = await model.loadCorpus(sharedData("calib_wikitext2_train.jsonl"), size);
const test = await model.loadCorpus(sharedData("wikitext2.test.txt"), size);
const questions = await model.loadCorpus({ texts: passages }, size);

const cosine = async (units: "block" | "attention" | "feed-forward") =>
  (await model.influence(wikipedia, { units, metric: "cosine" })).lowest(
    units === "block" ? players : players / 2,
  );
const byDepth = (units: UnitName[]) =>
  units.sort((a, b) => Number(a.split(".")[1]) - Number(b.split(".")[1]) || a.localeCompare(b));
const games = {
  blocks: { corpus: wikipedia, units: byDepth(await cosine("block")) },
  sublayers: {
    corpus: test,
    units: byDepth([...(await cosine("attention")), ...(await cosine("feed-forward"))]),
  },
  // Kept back: no strategy's defaults were chosen on it.
  spread: {
    corpus: questions,
    units: Array.from({ length: players }, (_, at): UnitName => `block.${4 + 2 * at}`),
  },
};

mkdirSync(folder, { recursive: true });
const all = Array.from({ length: 2 ** players }, (_, mask) =>
  Coalition.fromKey(players, mask.toString(16).padStart(players / 4, "0")),
);
for (const [name, { corpus, units }] of Object.entries(games)) {
  await using game = await model.game(corpus, { players: units, value: "loss" });
  const loss = Array.from(await game.evaluate(all), (value) => Number((-value).toFixed(6)));
  const about = "loss[m]: of the subnetwork that keeps player p where bit p of m is set, and all other units";
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ about, players: units, loss })}\n`);
  console.log(`${name}: ${units.join(", ")}`);
}
