/**
 * How long sampling and solving take at the largest size, the game itself costing next to nothing: CPU
 * seconds of each estimator, and what part they would be of a run whose every evaluation takes 50 ms.
 *
 *   npx tsx bench/shapley/scale.ts [players = 512] [evaluations = 100000]
 */
import { prefixCost } from "../../src/game/depth-order.ts";
import { type Game, gameFromFunction } from "../../src/game/game.ts";
import { estimateShapley } from "../../src/shapley/estimate-shapley.ts";
import type { Target } from "../../src/shapley/target.ts";

const players = Number(process.argv[2] ?? 512);
const evaluations = Number(process.argv[3] ?? 100_000);
const only = process.argv[4];
const quality = Array.from({ length: players }, (_, i) => 1 - 0.3 * Math.abs(Math.sin(i + 1)) ** 8);
const inner = gameFromFunction(
  (c) => c.absent().reduce((product, i) => product * (quality[i] as number), 8),
  { players },
);
let inGame = 0;
let asked = 0;
let shared = 0;
const game: Game = {
  ...inner,
  async evaluate(coalitions) {
    const started = process.cpuUsage();
    const answer = await inner.evaluate(coalitions);
    shared += prefixCost(coalitions);
    asked += coalitions.reduce((sum, coalition) => sum + coalition.size, 0);
    const used = process.cpuUsage(started);
    inGame += (used.user + used.system) / 1e6;
    return answer;
  },
};

console.log(
  `${players} players, ${evaluations} evaluations; block evaluations: of those without sharing, with ` +
    `prefix sharing`,
);
console.log("| method | target | CPU seconds | of a run of 50 ms per evaluation | shared | memory, GB |");
console.log("|---|---|---|---|---|---|");
const targets: [string, Target][] = [
  ["shapley", "shapley"],
  ["horizon 12", { horizon: 12 }],
];
for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
  for (const [name, target] of targets) {
    if ((method === "kernel" && target !== "shapley") || (only !== undefined && only !== method)) continue;
    inGame = 0;
    asked = 0;
    shared = 0;
    const started = process.cpuUsage();
    const { info } = await estimateShapley(game, { method, target, evaluations, seed: 1 });
    const used = process.cpuUsage(started);
    const seconds = (used.user + used.system) / 1e6 - inGame;
    const share = (100 * seconds) / (0.05 * info.evaluations);
    const memory = process.memoryUsage().rss / 2 ** 30;
    console.log(
      `| ${method} | ${name} | ${seconds.toFixed(1)} | ${share.toFixed(2)}% | ` +
        `${((100 * shared) / asked).toFixed(0)}% | ${memory.toFixed(1)} |`,
    );
  }
}
