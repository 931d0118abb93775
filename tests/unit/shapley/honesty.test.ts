import { describe, expect, it } from "vitest";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import type { MethodChoice } from "../../../src/shapley/options.ts";
import type { Target } from "../../../src/shapley/target.ts";
import { golden, randomGame } from "./games.ts";

const seeds = 300;

interface Case {
  readonly method: MethodChoice;
  readonly target: Target;
  readonly evaluations: number;
  /** Claims to be unbiased; KernelSHAP only in the limit. */
  readonly unbiased: boolean;
}

const walks = (kind: "plain" | "antithetic") => ({ name: "permutation", walks: kind }) as const;
const cases: Case[] = [
  { method: walks("plain"), target: "shapley", evaluations: 96, unbiased: true },
  { method: walks("plain"), target: { horizon: 4 }, evaluations: 64, unbiased: true },
  { method: walks("antithetic"), target: "shapley", evaluations: 128, unbiased: true },
  { method: walks("antithetic"), target: { horizon: 4 }, evaluations: 96, unbiased: true },
  { method: "stratified", target: "shapley", evaluations: 64, unbiased: true },
  { method: "stratified", target: { horizon: 4 }, evaluations: 64, unbiased: true },
  { method: "kernel", target: "shapley", evaluations: 96, unbiased: false },
];

/** The regression fits five models per run, so these are on a smaller game, or with fewer evaluations. */
const regressions: Case[] = [
  { method: "regression", target: "shapley", evaluations: 40, unbiased: true },
  { method: "regression", target: { horizon: 3 }, evaluations: 30, unbiased: true },
  {
    method: { name: "regression", allocation: "adaptive" },
    target: { horizon: 4 },
    evaluations: 40,
    unbiased: true,
  },
];

async function check(
  game: ReturnType<typeof randomGame>,
  { method, target, evaluations, unbiased }: Case,
): Promise<void> {
  const reference = await estimateShapley(game, { method: "exact", target, evaluations: 1024 });
  const truth = reference.players().map(({ value }) => value);
  const sums = truth.map(() => 0);
  const squares = truth.map(() => 0);
  let covered = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const estimate = await estimateShapley(game, { method, target, evaluations, seed, trace: false });
    for (const [i, { value, interval }] of estimate.players().entries()) {
      const error = value - (truth[i] as number);
      sums[i] = (sums[i] as number) + error;
      squares[i] = (squares[i] as number) + error ** 2;
      if (interval[0] <= (truth[i] as number) && (truth[i] as number) <= interval[1]) covered++;
    }
  }
  const coverage = covered / (seeds * truth.length);
  expect(coverage, "share of the 95% intervals that hold the truth").toBeGreaterThanOrEqual(0.92);
  expect(coverage, "share of the 95% intervals that hold the truth").toBeLessThanOrEqual(0.98);
  if (!unbiased) return;
  for (const [i, sum] of sums.entries()) {
    const mean = sum / seeds;
    const errorOfMean = Math.sqrt(((squares[i] as number) / seeds - mean ** 2) / seeds);
    // Four of its own errors: one in 16,000 by chance, and there are some hundred looks.
    expect(Math.abs(mean), `mean error of player ${i}`).toBeLessThan(4 * errorOfMean);
  }
}

const nameOf = ({ method, target, evaluations }: Case) =>
  `${typeof method === "string" ? method : JSON.stringify(method)}, ${JSON.stringify(target)}, ` +
  `${evaluations} evaluations`;

describe(`over ${seeds} seeds, intervals cover 92% to 98% and unbiased means are unbiased`, () => {
  for (const one of cases) {
    it(`on a random game with three- and four-way terms: ${nameOf(one)}`, () =>
      check(randomGame(8, 11), one));
  }

  for (const one of regressions) {
    it(`on a random game of six players: ${nameOf(one)}`, () => check(randomGame(6, 11), one));
  }

  for (const one of [...cases, { ...(regressions[1] as Case), evaluations: 32 }]) {
    it(`on the real game: ${nameOf(one)}`, async (context) => {
      const real = golden();
      if (real === undefined) return context.skip("the golden table is not there");
      await check(real.lossGame, one);
    });
  }
});
