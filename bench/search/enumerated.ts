/**
 * Every strategy on games of which every set is known, in a quarter of the evaluations that the sets of the
 * asked size would take: how often it ends within 1% of the optimum's loss, and its mean regret in nats.
 *
 *   npx tsx bench/search/enumerated.ts [seeds = 10]
 */
import { readFileSync } from "node:fs";
import { searchGame, strategies } from "../../src/index.ts";
import { renderTable } from "../../src/report/index.ts";
import { Coalition, gameFromFunction } from "../../src/shapley/index.ts";

const seeds = Number(process.argv[2] ?? 10);
const counts = [4, 5, 6];
const drawing = new Set(["random", "evolutionary", "policy-gradient", "surrogate"]);
const COLUMNS = [
  { title: "game" },
  { title: "strategy" },
  { title: "within 1%", align: "right" },
  { title: "mean regret, nats", align: "right" },
  { title: "evaluations", align: "right" },
] as const;
const rows: string[][] = [];
// No strategy's defaults were chosen on any of these.
for (const name of ["blocks", "sublayers", "spread"]) {
  const file = new URL(`games/${name}.json`, import.meta.url);
  const { players, loss } = JSON.parse(readFileSync(file, "utf8")) as { players: string[]; loss: number[] };
  const lossOf = (kept: Coalition) => loss[Number.parseInt(kept.key, 16)] ?? Number.NaN;
  const caps = { loss: Math.log(49152) };
  const game = gameFromFunction((kept) => -lossOf(kept), { players, values: ["loss"], caps });
  // Clusters need similarities, which the stored games have not.
  for (const strategy of strategies.filter((name) => name !== "clusters")) {
    let [runs, within, regret, spent] = [0, 0, 0, 0];
    for (const count of counts) {
      const losses = loss.filter(
        (_, mask) => Coalition.fromKey(12, mask.toString(16).padStart(3, "0")).size === 12 - count,
      );
      const best = Math.min(...losses);
      const evaluations = Math.floor(losses.length / 4);
      // What counts by one kind needs one kind: here all players count alike.
      const parts = Object.fromEntries(players.map((player) => [player, { kind: "unit" }]));
      for (let seed = 0; seed < (drawing.has(strategy) ? seeds : 1); seed++) {
        try {
          const found = await searchGame(game, { strategy, budget: count, evaluations, seed, parts });
          runs++;
          if (-found.value <= 1.01 * best) within++;
          regret += -found.value - best;
          spent += found.evaluations;
        } catch (error) {
          console.error(`${name}, ${strategy}, ${count}: ${error}`);
        }
      }
    }
    const cells = [`${within} of ${runs}`, (regret / runs).toFixed(4), (spent / runs).toFixed(0)];
    rows.push([name, strategy, ...cells]);
  }
}
console.log(renderTable(COLUMNS, rows));
