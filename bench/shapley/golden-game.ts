/**
 * The estimators on SmolLM2-135M in ten groups of three blocks, every coalition known
 * (../shared/golden/game10.json): root-mean-square error against the exact values, share of 95% intervals
 * that hold them, block evaluations under prefix sharing, and regret: the loss after removing the lowest k,
 * less that of the best k removals, mean of k = 1..5.
 *
 *   npx tsx bench/shapley/golden-game.ts [seeds = 200] [target: shapley, 3, 4 or 5; all] [budgets =
 * 32,64,128,256] [methods = .]
 *
 * With SHAPIQ_PYTHON set to an interpreter that has shapiq, its Shapley approximators join the table.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Coalition } from "../../src/game/coalition.ts";
import { prefixCost } from "../../src/game/depth-order.ts";
import { gameFromFunction } from "../../src/game/game.ts";
import type { ShapleyEstimate } from "../../src/shapley/estimate.ts";
import { estimateShapley } from "../../src/shapley/estimate-shapley.ts";
import type { MethodChoice } from "../../src/shapley/options.ts";
import type { Target } from "../../src/shapley/target.ts";
import { sharedGolden } from "../shared-data.ts";

const path = sharedGolden("game10.json");
const table = JSON.parse(readFileSync(path, "utf8")) as {
  loss: number[];
  "best removals": Record<string, [number, number[]]>;
};
const players = 10;
const blocksPerPlayer = 3;
const lossOf = (coalition: Coalition): number => table.loss[Number.parseInt(coalition.key, 16)] as number;
const game = gameFromFunction((coalition) => -lossOf(coalition), {
  players,
  values: ["loss"],
  caps: { loss: Math.log(49152) },
  costOf: (coalitions) => blocksPerPlayer * prefixCost(coalitions),
});

const contenders: Record<string, MethodChoice> = {
  "walks, plain": { name: "permutation", walks: "plain" },
  "walks, antithetic": "permutation",
  stratified: "stratified",
  kernel: "kernel",
  "regression, adaptive": { name: "regression", allocation: "adaptive" },
  regression: "regression",
};

function regretOf(estimate: ShapleyEstimate): number {
  const order = estimate.ranking().map((player) => game.players.indexOf(player));
  const regrets = [1, 2, 3, 4, 5].map(
    (k) => lossOf(Coalition.without(players, order.slice(0, k))) - (table["best removals"][k]?.[0] as number),
  );
  return regrets.reduce((sum, r) => sum + r, 0) / regrets.length;
}

async function row(
  method: MethodChoice,
  target: Target,
  evaluations: number,
  seeds: number,
  truth: Float64Array,
) {
  let squares = 0;
  let covered = 0;
  let regret = 0;
  let blocks = 0;
  let spent = 0;
  let milliseconds = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const started = performance.now();
    const estimate = await estimateShapley(game, { method, target, evaluations, seed, trace: false });
    milliseconds += performance.now() - started;
    for (const [i, { value, interval }] of estimate.players().entries()) {
      const exactly = truth[i] as number;
      squares += (value - exactly) ** 2;
      if (interval[0] - 1e-9 <= exactly && exactly <= interval[1] + 1e-9) covered++;
    }
    regret += regretOf(estimate);
    blocks += estimate.info.cost;
    spent += estimate.info.evaluations;
  }
  const rmse = Math.sqrt(squares / (seeds * players));
  return [
    rmse.toFixed(4),
    `${((100 * covered) / (seeds * players)).toFixed(1)}%`,
    (spent / seeds).toFixed(1),
    (blocks / seeds).toFixed(0),
    (rmse * Math.sqrt(blocks / seeds)).toFixed(2),
    (regret / seeds).toFixed(3),
    (milliseconds / seeds).toFixed(0),
  ];
}

const seeds = Number(process.argv[2] ?? 200);
const chosen = process.argv[3];
const budgets = (process.argv[4] ?? "32,64,128,256").split(",").map(Number);
const targets: Target[] =
  chosen === undefined
    ? ["shapley", { horizon: 3 }, { horizon: 4 }, { horizon: 5 }]
    : [chosen === "shapley" ? chosen : { horizon: Number(chosen) }];

const wanted = new RegExp(process.argv[5] ?? ".");

function shapiqRows(): void {
  const python = process.env["SHAPIQ_PYTHON"];
  if (python === undefined) return;
  const script = fileURLToPath(new URL("shapiq_compare.py", import.meta.url));
  const { stdout, status } = spawnSync(python, [script, path, String(seeds), budgets.join(",")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`The comparison with shapiq ended with ${status}`);
  for (const line of stdout.trim().split("\n")) {
    const { method, budget, rmse, regret, evaluations, error } = JSON.parse(line);
    const cells =
      error === undefined
        ? [rmse.toFixed(4), "", evaluations.toFixed(1), "", "", regret.toFixed(3)]
        : [error, "", "", "", "", ""];
    console.log(`| shapley | ${budget} | shapiq ${method} | ${cells.join(" | ")} | |`);
  }
}

const loo = await estimateShapley(game, { method: "leave-one-out" });
console.log(
  `leave-one-out: ${loo.info.evaluations} evaluations, ${loo.info.cost} blocks, regret ` +
    `${regretOf(loo).toFixed(3)}\n`,
);
console.log(`${seeds} seeds, loss capped at ln 49152\n`);
console.log(
  "| target | budget | method | RMSE | covered | evaluations | blocks | RMSE x sqrt(blocks) | regret | ms |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|");
for (const target of targets) {
  const reference = await estimateShapley(game, { method: "exact", target, evaluations: 1024 });
  const truth = reference.draft().estimate;
  const name = target === "shapley" ? "shapley" : `horizon ${target.horizon}`;
  console.log(
    `| ${name} | | exact | 0 | | ${reference.info.evaluations} | ${reference.info.cost} | | ` +
      `${regretOf(reference).toFixed(3)} | |`,
  );
  for (const evaluations of budgets) {
    for (const [label, method] of Object.entries(contenders)) {
      if (!wanted.test(label) || (label === "kernel" && target !== "shapley")) continue;
      try {
        const cells = await row(method, target, evaluations, seeds, truth);
        console.log(`| ${name} | ${evaluations} | ${label} | ${cells.join(" | ")} |`);
      } catch (error) {
        console.log(
          `| ${name} | ${evaluations} | ${label} | ${(error as { code?: string }).code ?? error} | | | | ` +
            `| | |`,
        );
      }
    }
  }
  if (target === "shapley") shapiqRows();
}
