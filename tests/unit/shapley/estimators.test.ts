import { describe, expect, it } from "vitest";
import type { Coalition } from "../../../src/game/coalition.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import type { MethodChoice } from "../../../src/shapley/options.ts";
import type { Target } from "../../../src/shapley/target.ts";
import {
  additive,
  additiveWorth,
  bruteForce,
  g3,
  g3Shapley,
  golden,
  gopp,
  gsq,
  randomGame,
} from "./games.ts";

async function valuesOf(game: typeof g3, options: Parameters<typeof estimateShapley>[1]): Promise<number[]> {
  return (await estimateShapley(game, options)).players().map(({ value }) => value);
}

function expectClose(actual: readonly number[], expected: readonly number[], digits = 9): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i] as number, digits);
}

describe("exact", () => {
  it("gives the known Shapley values of G3, GSQ and GOPP", async () => {
    expectClose(await valuesOf(g3, { method: "exact", target: "shapley", evaluations: 64 }), g3Shapley);
    expectClose(
      await valuesOf(gsq, { method: "exact", target: "shapley", evaluations: 256 }),
      new Array(8).fill(8),
    );
    const opposed = await estimateShapley(gopp, { method: "exact", target: "shapley", evaluations: 256 });
    expectClose(
      opposed.players().map((p) => p.value),
      [1.25, 1.25, 1.25, 1.25, -1.25, -1.25, -1.25, -1.25],
    );
    expect(opposed.info.efficiencyGap).toEqual({ value: expect.closeTo(0, 12) });
  });

  it("equals brute force over removal orders for every horizon, with three- and four-way terms", async () => {
    const game = randomGame(6, 1);
    for (let horizon = 1; horizon <= 6; horizon++) {
      expectClose(
        await valuesOf(game, { method: "exact", target: { horizon }, evaluations: 64 }),
        await bruteForce(game, horizon),
      );
    }
  });

  it("equals leave-one-out at horizon 1 and the Shapley value at horizon n", async () => {
    const loo = await valuesOf(g3, { method: "leave-one-out" });
    expectClose(loo, [3, 3, 1.5, -0.5, -0.5, -0.5]);
    expectClose(await valuesOf(g3, { method: "exact", target: { horizon: 1 }, evaluations: 64 }), loo);
    expectClose(await valuesOf(g3, { method: "exact", target: { horizon: 6 }, evaluations: 64 }), g3Shapley);
  });

  it("reproduces the table of the real game: Shapley, horizons, caps", async (context) => {
    const real = golden();
    if (real === undefined) return context.skip("the golden table is not there");
    const cases: [Target, boolean, string][] = [
      ["shapley", true, "shapley of -min(loss, ln 49152)"],
      ["shapley", false, "shapley of -loss"],
      [{ horizon: 1 }, true, "horizon 1 of -min(loss, ln 49152)"],
      [{ horizon: 3 }, true, "horizon 3 of -min(loss, ln 49152)"],
      [{ horizon: 5 }, true, "horizon 5 of -min(loss, ln 49152)"],
      [{ horizon: 3 }, false, "horizon 3 of -loss"],
      [{ horizon: 5 }, false, "horizon 5 of -loss"],
    ];
    for (const [target, cap, name] of cases) {
      const estimate = await estimateShapley(real.game, { method: "exact", target, cap, evaluations: 1024 });
      expectClose(
        estimate.players("loss").map((p) => p.value),
        real.exact[name] as number[],
      );
      if (target === "shapley") {
        expectClose(
          estimate.players("kl").map((p) => p.value),
          real.exact["shapley of -kl"] as number[],
        );
        expect(estimate.info.capped).toEqual(cap ? { loss: { at: Math.log(49152), coalitions: 808 } } : {});
      }
    }
  });
});

describe("present-absent", () => {
  it("gives the paper's number at half size, biased as it is", async () => {
    const half = { name: "present-absent", share: 0.5 } as const;
    const values = await valuesOf(g3, { method: half, evaluations: 64 });
    expectClose(values, [0.2, 0.2, 0.2, -0.2, -0.2, -0.2]);
  });

  it("returns n/(n-1) (c_i - mean c) for an additive game, and c_i once rescaled to efficiency", async () => {
    const mean = additiveWorth.reduce((sum, c) => sum + c, 0) / 8;
    for (const share of [0.5, 0.75]) {
      const raw = await valuesOf(additive, { method: { name: "present-absent", share }, evaluations: 256 });
      expectClose(
        raw,
        additiveWorth.map((c) => (8 / 7) * (c - mean)),
      );
      const efficient = await valuesOf(additive, {
        method: { name: "present-absent", share, efficient: true },
        evaluations: 256,
      });
      expectClose(efficient, additiveWorth);
    }
  });

  it("keeps floor(0.9 n) players by default: 28 of 32", async () => {
    const sizes = new Set<number>();
    const game = gameFromFunction(
      (c) => {
        sizes.add(c.size);
        return c.size;
      },
      { players: 32 },
    );
    await estimateShapley(game, { method: "present-absent", evaluations: 40 });
    expect(sizes).toEqual(new Set([28]));
  });
});

const samplers: MethodChoice[] = [
  { name: "permutation", walks: "plain" },
  { name: "permutation", walks: "antithetic" },
  "stratified",
  "kernel",
  "regression",
  { name: "regression", allocation: "adaptive" },
];
const label = (method: MethodChoice) => (typeof method === "string" ? method : JSON.stringify(method));

describe("sampling estimators", () => {
  for (const method of samplers) {
    it(`${label(method)} are exact on additive games where they can be`, async () => {
      const targets: Target[] = method === "kernel" ? ["shapley"] : ["shapley", { horizon: 3 }];
      if (method === "stratified") return; // Its covariances are sampled, so it has an error there too.
      for (const target of targets) {
        const estimate = await estimateShapley(additive, {
          method,
          target,
          evaluations: 90,
          seed: 3,
          trace: false,
        });
        expect(estimate.info.method).not.toBe("exact");
        expectClose(
          estimate.players().map((p) => p.value),
          additiveWorth,
          2,
        );
      }
    });

    it(`${label(method)} find no worth in a game of nothing, with opposed teams, and constants`, async () => {
      const zero = gameFromFunction(() => 4, { players: 8 });
      const estimate = await estimateShapley(zero, { method, target: "shapley", evaluations: 60 });
      expectClose(
        estimate.players().map((p) => p.value),
        new Array(8).fill(0),
      );
      const opposed = await estimateShapley(gopp, {
        method,
        target: "shapley",
        evaluations: 120,
        seed: 2,
        trace: false,
      });
      expect(opposed.info.efficiencyGap["value"]).toBeCloseTo(0, 6);
    });
  }

  it("permutation walks of GSQ have the spread they should: sd 4.5826 a marginal", async () => {
    let variance = 0;
    const seeds = 40;
    for (let seed = 0; seed < seeds; seed++) {
      const estimate = await estimateShapley(gsq, {
        method: { name: "permutation", walks: "plain" },
        target: "shapley",
        evaluations: 150,
        seed,
        trace: false,
      });
      const walks = estimate.info.draws;
      variance += (estimate.draft().variance.reduce((sum, v) => sum + v, 0) / 8) * walks;
    }
    // The population's variance; the sample's, walks being n - 1 in a walk's own mean, is unbiased.
    expect(Math.sqrt(variance / seeds)).toBeCloseTo(4.5826, 0);
  });

  it("have no truncated walks: v(S) near v(none) says nothing of what is in S", async () => {
    // Worth 10 with the pair of 0 and 1 in and 2 out: nearly every walk meets v = 0 = v(none) before it meets
    // a 10.
    const hidden = gameFromFunction((c) => (c.has(0) && c.has(1) && !c.has(2) ? 10 : 0), { players: 6 });
    const exact = await bruteForce(hidden);
    // A walk cut at the first v(S) = v(none) = v(all) would end before it began, and give everyone 0.
    expectClose(exact.slice(0, 3), [10 / 6, 10 / 6, -20 / 6]);
    const walks = { name: "permutation", walks: "truncated" } as const;
    // @ts-expect-error: there is no such kind of walk
    await expect(estimateShapley(hidden, { method: walks })).rejects.toThrow(/no bound where.*not monotone/);
  });

  it("take every value of a game from the same evaluations, as they would one at a time", async () => {
    const a = randomGame(8, 1);
    const b = randomGame(8, 2);
    const both = gameFromFunction(() => 0, { players: 8 });
    const joint = {
      ...both,
      values: ["a", "b"],
      async evaluate(coalitions: readonly Coalition[]) {
        const [x, y] = [await a.evaluate(coalitions), await b.evaluate(coalitions)];
        return Float64Array.from({ length: 2 * x.length }, (_, i) => (i % 2 === 0 ? x : y)[i >> 1] as number);
      },
    };
    for (const method of ["permutation", "stratified", "kernel", "regression"] as const) {
      const options = { method, target: "shapley", evaluations: 80, seed: 9, trace: false } as const;
      const together = await estimateShapley(joint, options);
      expect(together.draft("a")).toEqual((await estimateShapley(a, options)).draft());
      expect(together.draft("b")).toEqual((await estimateShapley(b, options)).draft());
    }
  });

  it("refuse targets that make no sense for them", async () => {
    for (const method of ["kernel", "present-absent"] as const) {
      await expect(estimateShapley(g3, { method, target: { horizon: 2 } })).rejects.toThrow(/"shapley" only/);
    }
    await expect(estimateShapley(g3, { method: "leave-one-out", target: "shapley" })).rejects.toThrow(
      /\{ horizon: 1 \} only/,
    );
    for (const horizon of [0, 7, 1.5]) {
      await expect(estimateShapley(g3, { target: { horizon } })).rejects.toThrow(/integer from 1/);
    }
  });
});
