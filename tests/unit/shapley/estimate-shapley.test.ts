import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Coalition } from "../../../src/game/coalition.ts";
import { prefixCost } from "../../../src/game/depth-order.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { compareEstimates } from "../../../src/shapley/compare.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import { additive, additiveWorth, bruteForce, g3, golden, randomGame, spy } from "./games.ts";

describe("seeds", () => {
  for (const method of ["permutation", "stratified", "kernel", "regression", "present-absent"] as const) {
    it(`${method}: a seed gives one estimate with every batch size, another seed another`, async () => {
      const { game, calls } = spy(randomGame(9, 4));
      const options = { method, target: "shapley", evaluations: 70, seed: 12, trace: false } as const;
      const one = await estimateShapley(game, { ...options, batchSize: 1 });
      const asked = new Set(calls.keys());
      calls.clear();
      const many = await estimateShapley(game, { ...options, batchSize: 1000 });
      expect(new Set(calls.keys())).toEqual(asked);
      expect(many.draft()).toEqual(one.draft());
      if (method === "present-absent") return; // All nine coalitions of its size are taken.
      expect((await estimateShapley(game, { ...options, seed: 2 ** 53 - 1 })).draft()).not.toEqual(
        one.draft(),
      );
    });
  }

  it("of the fixed regression decides the coalitions whatever their values", async () => {
    const seen: string[][] = [];
    for (const worth of [1, 2]) {
      const { game, calls } = spy(randomGame(8, worth));
      await estimateShapley(game, { evaluations: 50, seed: 3, trace: false });
      seen.push([...calls.keys()].sort());
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it("are the same on every machine: the first coalitions of seed 7", async () => {
    const { game, batches } = spy(gameFromFunction((c) => c.size, { players: 8 }));
    await estimateShapley(game, {
      method: "stratified",
      target: { horizon: 2 },
      evaluations: 7,
      seed: 7,
      trace: false,
    });
    expect(batches.flat()).toMatchInlineSnapshot(`
      [
        "ff",
        "7f",
        "df",
        "9f",
        "af",
        "77",
        "fd",
      ]
    `);
  });

  it("outside 0 to 2^53 - 1 are refused", async () => {
    for (const seed of [-1, 0.5, 2 ** 53]) {
      await expect(estimateShapley(g3, { seed })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

describe("budgets and stopping", () => {
  const costly = (players: number) => {
    const inner = randomGame(players, 5);
    return { ...inner, costOf: prefixCost };
  };

  it("keep to a cost in block evaluations", async () => {
    for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
      const { info } = await estimateShapley(costly(10), {
        method,
        target: "shapley",
        evaluations: 500,
        cost: 450,
        trace: false,
      });
      expect(info.stopped).toBe("cost");
      expect(info.cost).toBeLessThanOrEqual(450);
      expect(info.cost).toBeGreaterThan(200);
    }
  });

  it("never exceed a cost, and evaluate the same coalitions, however batches are cut", async () => {
    for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
      for (const cost of [210, 300]) {
        const seen = new Set<string>();
        for (const batchSize of [256, 8, 4, 2, 1]) {
          const { game, batches } = spy(costly(10));
          const options = { method, target: "shapley", evaluations: 500, cost, batchSize, seed: 3 } as const;
          const { info } = await estimateShapley(game, options);
          const spent = batches.reduce(
            (sum, keys) => sum + prefixCost(keys.map((key) => Coalition.fromKey(10, key))),
            0,
          );
          expect(info).toMatchObject({ stopped: "cost", cost: spent });
          expect(spent, `${method}, batches of ${batchSize}`).toBeLessThanOrEqual(cost);
          seen.add(batches.flat().sort().join());
        }
        expect(seen.size, `sets of coalitions of ${method}`).toBe(1);
      }
    }
  });

  it("refuse a cost where the game cannot tell it, and one that is too small", async () => {
    await expect(estimateShapley(g3, { cost: 10 })).rejects.toThrow(/no costOf/);
    await expect(
      estimateShapley(costly(10), { target: "shapley", evaluations: 500, cost: 12 }),
    ).rejects.toMatchObject({ code: "BUDGET_TOO_SMALL" });
  });

  it("keep to a time", async () => {
    // A clock of its own: another program must not take the time away.
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const inner = randomGame(12, 5);
    const slow = {
      ...inner,
      async evaluate(...call: Parameters<typeof inner.evaluate>) {
        vi.advanceTimersByTime(30);
        return inner.evaluate(...call);
      },
    };
    const { info } = await estimateShapley(slow, {
      method: "stratified",
      target: "shapley",
      evaluations: 3000,
      seconds: 0.25,
      batchSize: 16,
    });
    expect(info.stopped).toBe("seconds");
    expect(info.evaluations).toBeLessThan(3000);
  });

  it("stop when the lowest k are settled", async () => {
    const worth = [0, 0.1, 3, 4, 5, 6, 7, 8, 9, 10];
    const game = gameFromFunction(
      (c) => [...c].reduce((sum, i) => sum + (worth[i] as number), 0) + (c.has(2) && c.has(5) ? 1 : 0),
      { players: 10 },
    );
    for (const method of ["stratified", "regression", "permutation"] as const) {
      const estimate = await estimateShapley(game, {
        method,
        target: "shapley",
        evaluations: 900,
        stop: { lowest: 2, confidence: 0.95 },
      });
      expect(estimate.info.stopped).toBe("settled");
      expect(estimate.info.evaluations).toBeLessThan(500);
      expect(new Set(estimate.lowest(2))).toEqual(new Set(["player.0", "player.1"]));
      expect(estimate.lowestProbabilities(2).together).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("end at the budget when the lowest k cannot be settled: two players alike", async () => {
    const game = gameFromFunction(
      (c) => Math.sin(7 * c.size) + (c.has(0) && c.has(1) ? 2 : 0) + [...c].length ** 2,
      { players: 9 },
    );
    const { info } = await estimateShapley(game, {
      method: "stratified",
      target: "shapley",
      evaluations: 200,
      stop: { lowest: 1 },
    });
    expect(info.stopped).not.toBe("settled");
    expect(info.evaluations).toBeLessThanOrEqual(200);
  });

  it("are cancelled by a signal, before and on the way", async () => {
    await expect(estimateShapley(g3, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
    const abort = new AbortController();
    const seen: number[] = [];
    const run = estimateShapley(randomGame(10, 1), {
      method: "stratified",
      evaluations: 300,
      batchSize: 10,
      signal: abort.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done >= 60) abort.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: "CANCELLED" });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBeLessThan(100);
  });

  it("refuse numbers that are none of them", async () => {
    for (const options of [
      { evaluations: 0 },
      { evaluations: 2.5 },
      { batchSize: 0 },
      { seconds: 0 },
      { stop: { lowest: 0 } },
      { stop: { lowest: 6 } },
      { stop: { lowest: 1, confidence: 1 } },
      { stop: { lowest: 1, value: "kl" } },
      { cap: { kl: 3 } },
      { method: { name: "present-absent", share: 1 } },
      { method: { name: "present-absent", share: -1 } },
    ] as const) {
      await expect(estimateShapley(g3, options), JSON.stringify(options)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    // @ts-expect-error: no such method
    await expect(estimateShapley(g3, { method: "shap" })).rejects.toThrow(/method: .*exact, leave-one-out/);
  });
});

describe("results", () => {
  it("rank, with players' labels and the chance that the lowest are", async () => {
    const estimate = await estimateShapley(additive, {
      method: "exact",
      target: "shapley",
      evaluations: 256,
    });
    const order = additiveWorth
      .map((_, i) => i)
      .sort((a, b) => (additiveWorth[a] as number) - (additiveWorth[b] as number));
    expect(estimate.ranking()).toEqual(order.map((i) => `player.${i}`));
    expect(estimate.lowest(2)).toEqual(["player.5", "player.1"]);
    expect(estimate.toScores()).toEqual({
      name: estimate.info.values[0],
      scores: Object.fromEntries(estimate.players().map(({ player, value }) => [player, value])),
    });
    expect(() => estimate.toScores("nothing")).toThrow("nothing");
    expect(estimate.highest(1)).toEqual(["player.0"]);
    expect(estimate.lowestProbabilities(2)).toEqual({
      each: [
        { player: "player.5", probability: 1 },
        { player: "player.1", probability: 1 },
      ],
      together: 1,
    });
    expect(() => estimate.lowest(9)).toThrow(/k = 9/);
    expect(() => estimate.players("kl")).toThrow(/no value "kl"/);
    expect(() => estimate.interactions()).toThrow(/were not asked for/);
  });

  it("say by their chances how often the lowest are the lowest", async () => {
    // Over many seeds, claimed chance and how often it came true agree.
    const game = randomGame(8, 21);
    const truth = await bruteForce(game);
    const trueLowest = new Set(
      truth
        .map((_, i) => i)
        .sort((a, b) => (truth[a] as number) - (truth[b] as number))
        .slice(0, 3)
        .map((i) => `player.${i}`),
    );
    let claimed = 0;
    let came = 0;
    const seeds = 150;
    for (let seed = 0; seed < seeds; seed++) {
      const estimate = await estimateShapley(game, {
        method: "stratified",
        target: "shapley",
        evaluations: 80,
        seed,
        trace: false,
      });
      for (const { player, probability } of estimate.lowestProbabilities(3).each) {
        claimed += probability / (3 * seeds);
        came += (trueLowest.has(player) ? 1 : 0) / (3 * seeds);
      }
    }
    expect(Math.abs(claimed - came)).toBeLessThan(0.08);
  });

  it("trace the way there", async () => {
    const { info } = await estimateShapley(randomGame(9, 1), {
      method: "stratified",
      target: "shapley",
      evaluations: 200,
    });
    const counts = info.trace.map((point) => point.evaluations);
    expect(counts.at(-1)).toBe(200);
    expect(counts.length).toBeGreaterThan(3);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(info.trace.at(-1)?.values["value"]?.standardError[0]).toBeLessThan(
      info.trace[0]?.values["value"]?.standardError[0] as number,
    );
  });

  it("count what was capped, by the game's caps, by the caller's, or not at all", async () => {
    const game = gameFromFunction((c) => -c.absent().length, {
      players: 4,
      values: ["loss"],
      caps: { loss: 2.5 },
    });
    const all = { method: "exact", target: "shapley", evaluations: 16 } as const;
    expect((await estimateShapley(game, all)).info.capped).toEqual({ loss: { at: 2.5, coalitions: 5 } });
    expect((await estimateShapley(game, { ...all, cap: { loss: 1.5 } })).info.capped).toEqual({
      loss: { at: 1.5, coalitions: 11 },
    });
    const free = await estimateShapley(game, { ...all, cap: false });
    expect(free.info.capped).toEqual({});
    for (const { value } of free.players()) expect(value).toBeCloseTo(1, 12);
  });

  it("compare by rank correlation and by what the lowest have in common", async () => {
    const a = await estimateShapley(additive, { method: "exact", target: "shapley", evaluations: 256 });
    const b = await estimateShapley(
      gameFromFunction((c) => -[...c].reduce((sum, i) => sum + (additiveWorth[i] as number), 0), {
        players: 8,
      }),
      {
        method: "exact",
        target: "shapley",
        evaluations: 256,
      },
    );
    expect(compareEstimates(a, a)).toMatchObject({
      rankCorrelation: expect.closeTo(1, 12),
      rootMeanSquare: 0,
      lowestOverlap: new Array(7).fill(1),
    });
    const opposite = compareEstimates(a, b);
    expect(opposite.rankCorrelation).toBeCloseTo(-1, 12);
    expect(opposite.lowestOverlap.slice(0, 4)).toEqual([0, 0, 0, 0]);
    const other = await estimateShapley(g3, { method: "leave-one-out" });
    expect(() => compareEstimates(a, other)).toThrow(/different players/);
  });

  it("by default are a regression within a horizon, and remove what is best on the real game", async (context) => {
    const real = golden();
    if (real === undefined) return context.skip("the golden table is not there");
    const estimate = await estimateShapley(real.lossGame, { seed: 1, trace: false });
    expect(estimate.info).toMatchObject({ method: "regression", target: { horizon: 4 }, evaluations: 200 });
    const best = real.best["3"]?.[1].map((i) => `player.${i}`);
    expect(new Set(estimate.lowest(3))).toEqual(new Set(best));
  });
});
