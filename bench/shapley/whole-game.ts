/**
 * The reference game through the worker: SmolLM2-135M in ten groups of three blocks, all 1,024 coalitions,
 * loss and kl, against ../shared/golden/game10.json, and the Shapley values that follow. Ends with 1 beyond
 * 1e-4.
 *
 *   npx tsx bench/shapley/whole-game.ts
 */
import { readFileSync } from "node:fs";
import { Depthkit } from "../../src/index.ts";
import { Coalition, estimateShapley } from "../../src/shapley/index.ts";
import { sharedData, sharedGolden } from "../shared-data.ts";

const figures = JSON.parse(readFileSync(sharedGolden("game10.json"), "utf8"));
const names = ["loss", "kl"] as const;
const tolerance = 1e-4;

await using kit = await Depthkit.start();
const model = await kit.loadModel("smollm2-135m", { device: "cpu", dtype: "float32" });
const corpus = await model.loadCorpus(sharedData("calib_wikitext2_train.jsonl"), {
  sequences: 2,
  length: 128,
});
await using game = await model.game(corpus, { groups: 10, value: [...names] });

const started = performance.now();
const all = Array.from({ length: 1024 }, (_, mask) =>
  Coalition.of(
    10,
    Array.from({ length: 10 }, (__, player) => player).filter((player) => (mask >>> player) & 1),
  ),
);
const matrix = await game.evaluate(all);
const seconds = (performance.now() - started) / 1000;

const worst = { loss: 0, kl: 0 };
for (const [mask] of all.entries()) {
  for (const [column, name] of names.entries()) {
    const expected = figures[name][mask];
    const found = -(matrix[2 * mask + column] ?? Number.NaN);
    worst[name] = Math.max(worst[name], Math.abs(found - expected) / Math.max(1, Math.abs(expected)));
  }
}
console.log(
  `1,024 coalitions in ${seconds.toFixed(0)} s; largest relative difference: loss ` +
    `${worst.loss.toExponential(1)}, kl ${worst.kl.toExponential(1)}`,
);
const exact = await estimateShapley(game, {
  method: "exact",
  target: "shapley",
  cap: false,
  evaluations: 1024,
});
const shapley: number[] = figures.exact["shapley of -loss"];
const difference = Math.max(
  ...exact.players("loss").map(({ value }, player) => Math.abs(value - (shapley[player] ?? Number.NaN))),
);
console.log(`Shapley values of minus the loss: largest difference ${difference.toExponential(1)}`);
process.exitCode = Math.max(worst.loss, worst.kl, difference) < tolerance ? 0 : 1;
