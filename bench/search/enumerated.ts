/**
 * Every strategy on games of which every set is known, in a quarter of the evaluations that the sets of the
 * asked size would take: how often it ends within 1% of the optimum's loss, and its mean regret in nats. Then
 * one surrogate for 1 to 5 removals at once in few evaluations: the mean of its five regrets.
 *
 *   npx tsx bench/search/enumerated.ts [seeds = 10]
 */
import { readFileSync } from "node:fs";
import { searchGame, strategies } from "../../src/index.ts";
import { renderTable } from "../../src/report/index.ts";
import { meanOf } from "../../src/selection/choice-certainty.ts";
import { gameFromFunction } from "../../src/shapley/index.ts";
import { sharedGolden } from "../shared-data.ts";

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
const FEW_COLUMNS = [
  { title: "game" },
  { title: "evaluations", align: "right" },
  { title: "mean regret, nats", align: "right" },
  { title: "of the worst seed", align: "right" },
] as const;
const rows: string[][] = [];

interface Whole {
  readonly players: readonly unknown[];
  /** `loss[m]` where bit p of m says that player p stays. */
  readonly loss: readonly number[];
}

const read = (file: URL | string) => JSON.parse(readFileSync(file, "utf8")) as Whole;
const gameOf = ({ players, loss }: Whole) =>
  gameFromFunction((kept) => -(loss[Number.parseInt(kept.key, 16)] ?? Number.NaN), {
    players: players.map(String),
    values: ["loss"],
    caps: { loss: Math.log(49152) },
  });
const lossesWithout = ({ players, loss }: Whole, count: number) =>
  loss.filter((_, mask) => mask.toString(2).replaceAll("0", "").length === players.length - count);

// The surrogate's rule for every size was made with these in sight; nothing else was chosen on them.
const own = ["blocks", "sublayers", "spread"].map(
  (name) => [name, read(new URL(`games/${name}.json`, import.meta.url))] as const,
);
for (const [name, whole] of own) {
  const game = gameOf(whole);
  // What counts by one kind needs one kind: here all players count alike.
  const parts = Object.fromEntries(whole.players.map((player) => [String(player), { kind: "unit" }]));
  // Clusters need similarities, which the stored games have not.
  for (const strategy of strategies.filter((name) => name !== "clusters")) {
    let [runs, within, regret, spent] = [0, 0, 0, 0];
    for (const count of counts) {
      const losses = lossesWithout(whole, count);
      const best = Math.min(...losses);
      const evaluations = Math.floor(losses.length / 4);
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

const few: string[][] = [];
for (const [name, whole] of [...own, ["game10", read(sharedGolden("game10.json"))] as const]) {
  const game = gameOf(whole);
  const bests = [1, 2, 3, 4, 5].map((count) => Math.min(...lossesWithout(whole, count)));
  for (const evaluations of [24, 48]) {
    const regrets: number[] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const strategy = { name: "surrogate", everySize: true } as const;
      const { archive } = await searchGame(game, { strategy, budget: 5, evaluations, seed });
      // A size without a set has no regret that is a number, and then neither has the row.
      regrets.push(meanOf(bests.map((best, at) => -(archive[at + 1]?.[0]?.value ?? Number.NaN) - best)));
    }
    few.push([name, String(evaluations), meanOf(regrets).toFixed(4), Math.max(...regrets).toFixed(4)]);
  }
}
console.log(renderTable(FEW_COLUMNS, few));
