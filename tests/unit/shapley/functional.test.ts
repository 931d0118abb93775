import { describe, expect, it } from "vitest";
import type { Coalition } from "../../../src/game/coalition.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import { allCoalitions } from "../../../src/shapley/estimators/exact.ts";
import {
  banzhafValue,
  type Functional,
  horizonValue,
  pairIndex,
  pairInteraction,
} from "../../../src/shapley/functional.ts";
import { randomStream } from "../../../src/shapley/random.ts";
import { fitSurrogate } from "../../../src/shapley/surrogate/fit.ts";
import { fitKernel } from "../../../src/shapley/surrogate/kernel-surrogate.ts";
import { choose, coalitionsWithin } from "../../../src/shapley/target.ts";
import { g3, randomGame } from "./games.ts";

function byEnumeration(functional: Functional, worthOf: (c: Coalition) => number): Float64Array {
  const sums = new Float64Array(functional.size);
  for (const coalition of allCoalitions(functional.players, functional.reach))
    functional.add(sums, coalition, worthOf(coalition));
  return sums;
}

function expectSame(a: Float64Array, b: Float64Array, digits = 8): void {
  expect(a.length).toBe(b.length);
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] as number, digits);
}

const functionals: [string, Functional][] = [
  ["Shapley", horizonValue(7, 7)],
  ["horizon 3", horizonValue(7, 3)],
  ["Banzhaf", banzhafValue(7)],
  ["interactions", pairInteraction(7, 7)],
  ["interactions within 4", pairInteraction(7, 4)],
];

describe("linear maps of games", () => {
  for (const [name, functional] of functionals) {
    it(`${name}: closed forms for products, lines and pairs equal enumeration`, () => {
      const random = randomStream(5, name);
      const factors = Float64Array.from({ length: 7 }, () => 0.1 + 1.2 * random.uniform());
      const product = new Float64Array(functional.size);
      functional.addProduct(product, factors, 2.5);
      expectSame(
        product,
        byEnumeration(functional, (c) => c.absent().reduce((p, i) => p * (factors[i] as number), 2.5)),
      );
      const lines = Float64Array.from({ length: 7 }, () => random.normal());
      const pairs = Float64Array.from({ length: 21 }, () => random.normal());
      const polynomial = new Float64Array(functional.size);
      const perPlayer = Float64Array.from({ length: 7 }, (_, i) =>
        [0, 1, 2, 3, 4, 5, 6].reduce(
          (sum, j) => (j === i ? sum : sum + (pairs[pairIndex(7, Math.min(i, j), Math.max(i, j))] as number)),
          0,
        ),
      );
      functional.addPolynomial(polynomial, lines, { perPlayer, all: () => pairs });
      const worthOf = (c: Coalition) => {
        let sum = 0;
        const absent = c.absent();
        for (const [at, i] of absent.entries()) {
          sum += lines[i] as number;
          for (const j of absent.slice(at + 1)) sum += pairs[pairIndex(7, i, j)] as number;
        }
        return sum;
      };
      expectSame(polynomial, byEnumeration(functional, worthOf));
    });

    it(`${name}: a fitted model's own image equals enumerating the model`, async () => {
      const game = randomGame(7, 2);
      const some = allCoalitions(7, 7).filter((_, i) => i % 3 === 0);
      const model = fitKernel(some, await game.evaluate(some));
      expectSame(
        model.apply(functional),
        byEnumeration(functional, (c) => model.predict(c)),
        6,
      );
    });
  }

  it("a model beyond one Gaussian process adds a trend, and its image is still exact", async () => {
    const game = randomGame(10, 2);
    const some = allCoalitions(10, 10)
      .filter((_, i) => i % 13 !== 0)
      .slice(0, 900);
    const model = fitSurrogate(some, await game.evaluate(some));
    expect(model.description).toMatch(
      /pairwise least squares on 900 coalitions, then a Gaussian process on 512/,
    );
    const functional = horizonValue(10, 4);
    expectSame(
      model.apply(functional),
      byEnumeration(functional, (c) => model.predict(c)),
      6,
    );
  });

  it("a model passes through what a game of its own kind showed it", async () => {
    const quality = [0.3, 0.95, 0.9, 0.99, 0.5, 0.97, 0.8];
    const game = gameFromFunction((c) => c.absent().reduce((p, i) => p * (quality[i] as number), 5), {
      players: 7,
    });
    const some = allCoalitions(7, 3).filter((_, i) => i < 8 || i % 2 === 0);
    const model = fitKernel(some, await game.evaluate(some));
    const others = allCoalitions(7, 3).filter((_, i) => i >= 8 && i % 2 === 1);
    const truth = await game.evaluate(others);
    for (const [i, coalition] of others.entries())
      expect(Math.abs(model.predict(coalition) - (truth[i] as number))).toBeLessThan(0.15);
  });

  it("count coalitions", () => {
    expect(choose(10, 5)).toBe(252);
    expect(choose(512, 256)).toBeGreaterThan(1e150);
    expect(coalitionsWithin(10, 5)).toBe(638);
    expect(coalitionsWithin(8, 8)).toBe(256);
  });
});

describe("interactions and Banzhaf values", () => {
  it("of G3 are the known ones", async () => {
    const all = await estimateShapley(g3, {
      method: "exact",
      target: "shapley",
      evaluations: 64,
      interactions: true,
      banzhaf: true,
    });
    // Shapley interaction of a bonus for a team of t: bonus / (t - 1) for each pair in it.
    const worth = new Map(all.interactions().map(({ players, value }) => [players.join(), value]));
    expect(worth.get("player.0,player.1")).toBeCloseTo(2 / 2, 12);
    expect(worth.get("player.1,player.2")).toBeCloseTo(2 / 2, 12);
    expect(worth.get("player.3,player.4")).toBeCloseTo(-1.5 / 3, 12);
    expect(worth.get("player.0,player.5")).toBeCloseTo(0, 12);
    // Banzhaf: bonus / 2^(t - 1) for each member.
    const banzhaf = all.banzhaf().map(({ value }) => value);
    expect(banzhaf[0]).toBeCloseTo(1 + 2 / 4, 12);
    expect(banzhaf[2]).toBeCloseTo(1 + 2 / 4 - 1.5 / 8, 12);
    expect(banzhaf[5]).toBeCloseTo(1 - 1.5 / 8, 12);
  });

  it("from the regression's evaluations are within their errors", async () => {
    const game = randomGame(8, 6);
    const exact = await estimateShapley(game, {
      method: "exact",
      target: "shapley",
      evaluations: 256,
      interactions: true,
      banzhaf: true,
    });
    const sampled = await estimateShapley(game, {
      target: "shapley",
      evaluations: 130,
      interactions: true,
      banzhaf: true,
      seed: 3,
      trace: false,
    });
    expect(sampled.info.evaluations).toBe(130);
    for (const [i, { value, standardError }] of sampled.banzhaf().entries()) {
      expect(Math.abs(value - (exact.banzhaf()[i]?.value as number))).toBeLessThan(4 * standardError);
    }
    const truth = new Map(exact.interactions().map(({ players, value }) => [players.join(), value]));
    for (const { players, value, standardError } of sampled.interactions()) {
      expect(Math.abs(value - (truth.get(players.join()) as number))).toBeLessThan(4.5 * standardError);
    }
  });

  it("are refused where they cannot be had", async () => {
    await expect(
      estimateShapley(g3, { method: "kernel", interactions: true, evaluations: 40 }),
    ).rejects.toThrow(/"exact" and "regression"/);
    await expect(estimateShapley(g3, { target: { horizon: 3 }, banzhaf: true })).rejects.toThrow(
      /over all coalitions/,
    );
    await expect(
      estimateShapley(g3, { method: "exact", target: { horizon: 1 }, interactions: true }),
    ).rejects.toThrow(/at least 2/);
  });
});
