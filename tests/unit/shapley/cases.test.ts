import { describe, expect, it } from "vitest";
import { Coalition } from "../../../src/game/coalition.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import { methods } from "../../../src/shapley/estimator.ts";
import { kernelDraft, PairDesign, type WeightedPair } from "../../../src/shapley/estimators/kernel.ts";
import type { MethodChoice } from "../../../src/shapley/options.ts";
import { Session } from "../../../src/shapley/session.ts";
import { g3, g3Shapley, randomGame, spy } from "./games.ts";

describe("SHA1: kernel weights are right beyond pairwise terms", () => {
  it("SHA1: KernelSHAP over all coalitions of G3 is exact to 1e-9", async () => {
    const session = new Session({
      game: g3,
      reach: 6,
      seed: 0,
      budget: { evaluations: 64 },
      floors: new Float64Array(1).fill(Number.NEGATIVE_INFINITY),
      batchSize: 64,
      growth: Number.POSITIVE_INFINITY,
      onLook: () => false,
      onBatch: () => undefined,
      now: () => 0,
    });
    const design = new PairDesign(6, 31, 0);
    const pairs: WeightedPair[] = [];
    for (let pair = design.next(); pair !== undefined; pair = design.next()) pairs.push(pair);
    expect(pairs).toHaveLength(31);
    await session.evaluate([
      Coalition.full(6),
      Coalition.empty(6),
      ...pairs.flatMap((pair) => pair.coalitions),
    ]);
    expect(session.evaluations).toBe(64);
    const { estimate, variance } = kernelDraft(session, design, pairs).values[0] ?? {
      estimate: [],
      variance: [],
    };
    for (const [i, value] of estimate.entries())
      expect(Math.abs(value - (g3Shapley[i] as number))).toBeLessThan(1e-9);
    expect([...variance]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("SHA1: sampled estimators on G3 are within 3 standard errors at a budget of 62", async () => {
    for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
      const estimate = await estimateShapley(g3, { method, target: "shapley", evaluations: 62, seed: 1 });
      expect(estimate.info.method).toBe(method);
      for (const [i, { value, standardError }] of estimate.players().entries()) {
        expect(Math.abs(value - (g3Shapley[i] as number)), `${method} player ${i}`).toBeLessThan(
          3 * standardError + 1e-9,
        );
      }
    }
  });

  it("SHA1: with budget 64 all of them go over to exact enumeration and say so", async () => {
    for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
      const { info } = await estimateShapley(g3, { method, target: "shapley", evaluations: 64 });
      expect(info).toMatchObject({
        method: "exact",
        requested: method,
        evaluations: 64,
        stopped: "complete",
      });
    }
  });
});

describe("SHA3: evaluations are counted and kept", () => {
  const choices: MethodChoice[] = [
    ...methods.filter((method) => method !== "exact"),
    { name: "permutation", walks: "plain" },
  ];
  for (const method of choices) {
    const name = typeof method === "string" ? method : "permutation, plain";
    it(`SHA3: ${name}, 20 players, budget 512: what the spy counted, at most 512, not exact`, async () => {
      const { game, calls } = spy(randomGame(20, 3));
      const target = method === "leave-one-out" ? ({ horizon: 1 } as const) : ("shapley" as const);
      const { info } = await estimateShapley(game, {
        method,
        target,
        evaluations: 512,
        seed: 4,
        trace: false,
      });
      expect(info.evaluations).toBe(calls.size);
      expect(Math.max(...calls.values())).toBe(1);
      expect(info.evaluations).toBeLessThanOrEqual(512);
      expect(info.method).not.toBe("exact");
      if (["stratified", "kernel", "regression"].includes(info.method)) expect(info.evaluations).toBe(512);
    });
  }

  it("SHA3: 8 players, budget 256: exact, with 256 evaluations; budget 255: not", async () => {
    const { game, calls } = spy(randomGame(8, 3));
    const { info } = await estimateShapley(game, { target: "shapley", evaluations: 256 });
    expect(info).toMatchObject({ method: "exact", requested: "regression", evaluations: 256 });
    expect(calls.size).toBe(256);
    const less = await estimateShapley(randomGame(8, 3), {
      method: "stratified",
      target: "shapley",
      evaluations: 255,
    });
    expect(less.info.method).toBe("stratified");
  });
});

describe("SHA5: every budget gives a result or says what it needs", () => {
  for (const method of methods) {
    it(`SHA5: ${method}`, async () => {
      // The regression fits models, so it takes every budget of the small games and some of the large.
      for (let players = 2; players <= 10; players++) {
        const inner = randomGame(players, players);
        const most = 2 ** players + 5;
        const few = method === "regression" ? 5 : 7;
        const step =
          players <= 4 ? 1 : players <= few ? 3 : Math.ceil(most / (method === "regression" ? 5 : 9));
        for (let evaluations = 2; evaluations <= most; evaluations += step) {
          const { game, calls } = spy(inner);
          const target = method === "leave-one-out" ? ({ horizon: 1 } as const) : ("shapley" as const);
          const run = estimateShapley(game, { method, target, evaluations, seed: evaluations, trace: false });
          const estimate = await run.catch((error) => {
            expect(error).toMatchObject({ code: "BUDGET_TOO_SMALL" });
            expect(error.message).toMatch(/needs at least \d+/);
            expect(error.details.minimum).toBeGreaterThan(evaluations);
            expect(calls.size).toBe(0);
          });
          if (estimate === undefined) continue;
          expect(estimate.info.evaluations).toBe(calls.size);
          expect(calls.size).toBeLessThanOrEqual(evaluations);
          expect(Math.max(...calls.values())).toBe(1);
          for (const { value, standardError } of estimate.players()) {
            expect(Number.isFinite(value) && Number.isFinite(standardError)).toBe(true);
          }
          if (estimate.info.efficient) expect(estimate.info.efficiencyGap["value"]).toBeCloseTo(0, 6);
        }
      }
    });

    it(`SHA5: the smallest budget ${method} names does work`, async () => {
      for (const players of [2, 3, 5, 9]) {
        const game = randomGame(players, 1);
        const target = method === "leave-one-out" ? ({ horizon: 1 } as const) : ("shapley" as const);
        const error = await estimateShapley(game, { method, target, evaluations: 1 }).catch((e) => e);
        const { minimum } = error.details;
        const { info } = await estimateShapley(game, { method, target, evaluations: minimum });
        expect(info.evaluations).toBeLessThanOrEqual(minimum);
      }
    });
  }
});
