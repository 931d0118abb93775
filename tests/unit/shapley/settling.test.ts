import { describe, expect, it } from "vitest";
import { honestGames } from "../../../bench/shapley/honest-games.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { type Game, gameFromFunction } from "../../../src/game/game.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import { horizonValue } from "../../../src/shapley/functional.ts";
import type { MethodChoice } from "../../../src/shapley/options.ts";
import { looksWithin } from "../../../src/shapley/settle.ts";
import { judge, leveragesOf } from "../../../src/shapley/unseen.ts";
import { ValueTable } from "../../../src/shapley/value-table.ts";
import { gopp } from "./games.ts";

// The whole of it, 300 seeds of all estimators on all games, is `npm run bench -- honesty`.
const half = { name: "present-absent", share: 0.5 } as const;
const plain = { name: "permutation", walks: "plain" } as const;

async function falseSettlings(game: Game, method: MethodChoice, lowest: number, seeds: number) {
  const target = "shapley";
  const exact = await estimateShapley(game, { method: "exact", target, evaluations: 256 });
  const unsettled = exact.tied(lowest).length > 0;
  const right = new Set(exact.lowest(lowest));
  let wrong = 0;
  let settled = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const estimate = await estimateShapley(game, {
      method,
      target,
      evaluations: 160,
      seed,
      stop: { lowest },
    });
    if (estimate.info.stopped !== "settled") continue;
    settled++;
    if (unsettled || estimate.lowest(lowest).some((player) => !right.has(player))) wrong++;
  }
  return { wrong: wrong / seeds, settled: settled / seeds };
}

describe("a rule to stop does not trust a variance that was not seen", () => {
  for (const method of ["stratified", "kernel", plain] as const) {
    const name = typeof method === "string" ? method : method.walks;
    it(`${name}: cancelling teams settle on the right four, and never on one of four alike`, async () => {
      const four = await falseSettlings(gopp, method, 4, 100);
      expect(four.wrong).toBeLessThanOrEqual(0.05);
      expect(four.settled, "it does settle").toBeGreaterThan(0.3);
      expect((await falseSettlings(gopp, method, 1, 100)).wrong).toBeLessThanOrEqual(0.05);
    });

    it(`${name}: of two players exactly alike neither is settled on`, async () => {
      const game = honestGames["two alike at the bottom"] as Game;
      expect((await falseSettlings(game, method, 1, 100)).wrong).toBeLessThanOrEqual(0.05);
    });
  }

  it("no estimator settles a constant, or a game in which every coalition is capped", async () => {
    for (const name of ["constant", "all capped"]) {
      const game = honestGames[name] as Game;
      for (const method of ["stratified", "kernel", plain, "present-absent", "regression"] as const) {
        const options = { method, target: "shapley", evaluations: 60, stop: { lowest: 2 } } as const;
        const estimate = await estimateShapley(game, options);
        expect(estimate.info.stopped, `${name}, ${JSON.stringify(method)}`).not.toBe("settled");
      }
    }
  });

  it("spends the risk on all looks there may be", () => {
    expect([looksWithin(16, 16, 1.25), looksWithin(20, 16, 1.25), looksWithin(200, 16, 1.25)]).toEqual([
      1, 2, 13,
    ]);
  });
});

describe("variances have a floor from what was not drawn", () => {
  it("the issue's case: 16 evaluations that agree say neither 0 +- 0 nor that it is certain", async () => {
    for (let seed = 0; seed < 200; seed++) {
      const options = {
        method: "stratified",
        target: "shapley",
        evaluations: 23,
        seed,
        trace: false,
      } as const;
      const estimate = await estimateShapley(gopp, options);
      for (const { standardError } of estimate.players()) expect(standardError).toBeGreaterThan(0.1);
      expect(estimate.lowestProbabilities(4).together).toBeLessThan(1);
    }
  });

  it("rounding is ranked by nobody: all capped is a tie, with errors above 0 while anything is unseen", async () => {
    const game = honestGames["all capped"] as Game;
    for (const method of ["stratified", "kernel", plain, half, "regression"] as const) {
      const estimate = await estimateShapley(game, { method, target: "shapley", evaluations: 60 });
      expect(estimate.ties(), JSON.stringify(method)).toEqual([[...game.players]]);
      expect(estimate.tied(3)).toEqual(game.players);
      expect(estimate.lowest(3)).toEqual(["player.0", "player.1", "player.2"]);
      for (const { standardError } of estimate.players()) expect(standardError).toBeGreaterThan(0);
    }
  });

  it("is the rule of succession: one in m + 1 of what is unseen, as far off as what was seen", () => {
    const leverages = leveragesOf(horizonValue(8, 8));
    for (let s = 1; s < 8; s++) expect(leverages[s]).toBeCloseTo((1 / s + 1 / (8 - s)) / 8, 12);
    expect(leveragesOf(horizonValue(8, 3))[3]).toBeCloseTo(8 / (9 * 3), 12);
    const table = new ValueTable(Float64Array.of(Number.NEGATIVE_INFINITY));
    // Four of the eight coalitions without one player, between 0 and 10; nothing else is of weight.
    const ones = [0, 1, 2, 3].map((i) => Coalition.full(8).without(i));
    for (const [i, one] of ones.entries()) table.set(one, Float64Array.of(i === 0 ? 10 : 0));
    const one = new Float64Array(9);
    one[1] = 3;
    const nothing = {
      estimate: new Float64Array(8),
      variance: new Float64Array(8),
      factors: [],
      degrees: new Float64Array(8).fill(1),
      units: 4,
    };
    const by = { table, players: 8, leverages: one, modelled: false };
    const [judged] = judge({ values: [nothing], draws: 4 }, by).values;
    expect(judged?.unseen).toBeCloseTo((100 * 3 * (1 - 4 / 8)) / 4 / 5, 12);
    expect(judged?.variance[0]).toBeCloseTo(0.25 * (judged?.unseen ?? 0), 9);
    expect(judged?.degrees[0]).toBeCloseTo(3, 9);
    for (const player of [4, 5, 6, 7]) table.set(Coalition.full(8).without(player), Float64Array.of(0));
    expect(judge({ values: [nothing], draws: 8 }, by).values[0]?.variance[0]).toBe(0);
  });
});

describe("ties are said to be ties", () => {
  it("of exact values, with the chances that the places allow", async () => {
    const game = gameFromFunction((c) => [...c].reduce((sum, i) => sum + ([2, 1, 3, 1, 1][i] ?? 0) / 10, 0), {
      players: ["a", "b", "c", "d", "e"],
    });
    const exact = await estimateShapley(game, { method: "exact", target: "shapley", evaluations: 32 });
    expect(exact.ties()).toEqual([["b", "d", "e"]]);
    expect([1, 2, 3, 4].map((k) => exact.tied(k))).toEqual([["b", "d", "e"], ["b", "d", "e"], [], []]);
    expect(exact.ranking()).toEqual(["b", "d", "e", "a", "c"]);
    const two = exact.lowestProbabilities(2);
    expect(two.together).toBeCloseTo(1 / 3, 12);
    for (const { probability } of two.each) expect(probability).toBeCloseTo(2 / 3, 12);
    expect(exact.lowestProbabilities(3).together).toBe(1);
    expect(exact.toJSON().ties).toEqual({ value: [["b", "d", "e"]] });
  });
});
