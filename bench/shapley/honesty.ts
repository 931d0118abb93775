/**
 * How honest the estimators are, on eight games whose answer is known (honest-games.ts): the share of 95%
 * intervals that hold it, and how often a rule to stop settles, and settles on what is not the lowest. A cut
 * between players that tie exactly is never settled, so there every settling is false.
 *
 *   npx tsx bench/shapley/honesty.ts [seeds = 300] [methods = .] [games = .]
 *
 * `present-absent` is held against what it estimates, all coalitions of its size, since it is biased for the
 * rest.
 */
import type { Game } from "../../src/game/game.ts";
import type { EstimateOptions, ShapleyEstimate, StopRule } from "../../src/shapley/index.ts";
import { estimateShapley } from "../../src/shapley/index.ts";
import { honestGames } from "./honest-games.ts";

const seeds = Number(process.argv[2] ?? 300);
const wanted = new RegExp(process.argv[3] ?? ".");
const wantedGames = new RegExp(process.argv[4] ?? ".");

type Contender = Pick<EstimateOptions, "method" | "target" | "evaluations">;
const half = { name: "present-absent", share: 0.5 } as const;
const contenders: Record<string, Contender> = {
  "walks, plain": {
    method: { name: "permutation", walks: "plain" },
    target: "shapley",
    evaluations: 160,
  },
  "walks, antithetic": { method: "permutation", target: "shapley", evaluations: 160 },
  "walks, horizon 4": { method: "permutation", target: { horizon: 4 }, evaluations: 120 },
  stratified: { method: "stratified", target: "shapley", evaluations: 160 },
  "stratified, horizon 4": { method: "stratified", target: { horizon: 4 }, evaluations: 120 },
  kernel: { method: "kernel", target: "shapley", evaluations: 160 },
  "present-absent": { method: half, target: "shapley", evaluations: 56 },
  regression: { method: "regression", target: "shapley", evaluations: 120 },
  "default (regression, horizon 4)": { evaluations: 100 },
};
const rules: StopRule[] = [{ lowest: 1 }, { lowest: 2 }, { lowest: 4 }, { lowest: 4, confidence: 0.8 }];

async function truthOf(game: Game, { method, target }: Contender): Promise<ShapleyEstimate> {
  if (method === half) return estimateShapley(game, { method, evaluations: 256 });
  return estimateShapley(game, { method: "exact", target, evaluations: 256 });
}

async function coverage(game: Game, contender: Contender, truth: ShapleyEstimate): Promise<string> {
  let covered = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const estimate = await estimateShapley(game, { ...contender, seed, trace: false });
    const exactly = truth.players();
    for (const [i, { interval }] of estimate.players().entries()) {
      const value = exactly[i]?.value ?? Number.NaN;
      if (interval[0] - 1e-9 <= value && value <= interval[1] + 1e-9) covered++;
    }
  }
  return `${((100 * covered) / (seeds * game.players.length)).toFixed(1)}%`;
}

async function settling(game: Game, contender: Contender, truth: ShapleyEstimate, stop: StopRule) {
  const right = new Set(truth.lowest(stop.lowest));
  // Rounding of 1e-9 is part of one game and no answer to the question who is lowest.
  const values = truth.players().map(({ value }) => value);
  values.sort((a, b) => a - b);
  const tie = (values[stop.lowest] ?? 0) - (values[stop.lowest - 1] ?? 0) < 1e-8;
  let settled = 0;
  let wrong = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const estimate = await estimateShapley(game, { ...contender, seed, stop });
    if (estimate.info.stopped !== "settled") continue;
    settled++;
    if (tie || estimate.lowest(stop.lowest).some((player) => !right.has(player))) wrong++;
  }
  const share = (count: number) => `${((100 * count) / seeds).toFixed(1)}%`;
  return {
    cell: `${share(settled)}, ${share(wrong)}`,
    wrong: wrong / seeds,
    risk: 1 - (stop.confidence ?? 0.95),
  };
}

const nameOf = ({ lowest, confidence = 0.95 }: StopRule) => `lowest ${lowest} at ${100 * confidence}%`;
console.log(`${seeds} seeds; of each rule: how often it settles, how often falsely\n`);
console.log(`| game | method | 95% intervals hold | ${rules.map(nameOf).join(" | ")} |`);
console.log(`|---|---|---|${rules.map(() => "---|").join("")}`);
let worst = 0;
for (const [name, game] of Object.entries(honestGames)) {
  if (!wantedGames.test(name)) continue;
  for (const [label, contender] of Object.entries(contenders)) {
    if (!wanted.test(label)) continue;
    const truth = await truthOf(game, contender);
    const cells = [await coverage(game, contender, truth)];
    for (const rule of rules) {
      const { cell, wrong, risk } = await settling(game, contender, truth, rule);
      cells.push(cell);
      worst = Math.max(worst, wrong / risk);
    }
    console.log(`| ${name} | ${label} | ${cells.join(" | ")} |`);
  }
}
console.log(`\nFalse settlings, at most: ${(100 * worst).toFixed(0)}% of what the confidence allows.`);
process.exitCode = worst <= 1 ? 0 : 1;
