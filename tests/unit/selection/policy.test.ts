import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { constraintsOf } from "../../../src/selection/budget.ts";
import { drawMask } from "../../../src/selection/strategies/masks.ts";
import { policyGradient, projectToBudget } from "../../../src/selection/strategies/policy.ts";
import { randomStream } from "../../../src/shapley/random.ts";

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("with additive loss the mean update over all masks is K/(K-1) c_i sqrt(s_i (1 - s_i))", () => {
  const costs = [0.7, -0.3, 1.9];
  const keep = [0.2, 0.55, 0.9];
  const baseline = 0.4;
  const masks = Array.from({ length: 8 }, (_, bits) => costs.map((_, i) => (bits >> i) & 1));
  const chance = (mask: readonly number[]) =>
    keep.reduce((product, s, i) => product * (mask[i] === 1 ? s : 1 - s), 1);
  const loss = (mask: readonly number[]) => 2 + sum(costs.map((cost, i) => cost * item(mask, i)));
  const mean = [0, 0, 0];
  // All pairs of masks that a step of K = 2 may draw, each with its probability.
  for (const one of masks) {
    for (const other of masks) {
      const update = policyGradient([one, other], [loss(one), loss(other)], baseline, keep);
      for (const [i, slope] of update.entries())
        mean[i] = item(mean, i) + chance(one) * chance(other) * slope;
    }
  }
  for (const [i, s] of keep.entries()) {
    expect(item(mean, i)).toBeCloseTo((2 / 1) * item(costs, i) * Math.sqrt(s * (1 - s)), 12);
  }
});

describe("the projection to the budget", () => {
  const parts = Array.from({ length: 20 }, (_, i) => ({
    kind: i % 2 === 0 ? "attention" : "feed-forward",
    costs: { bytes: 1e6 * (1 + (i % 5)) },
  }));
  const players = parts.map((_, i) => i);
  const random = randomStream(3, "probabilities");
  const drawn = Array.from({ length: 50 }, () => players.map(() => 3 * random.uniform() - 1));

  test.each([
    { budget: 6 },
    { budget: { attention: 4, "feed-forward": 1 } },
    { budget: { cost: "bytes", share: 0.3 } },
  ])("meets $budget within 1e-4 of a player, stays within 0 and 1, and is idempotent", ({ budget }) => {
    const constraints = constraintsOf(budget, parts);
    for (const keep of drawn) {
      const projected = projectToBudget(keep, players, constraints);
      for (const { costs, amount } of constraints) {
        const most = Math.max(...costs);
        const kept = sum(projected.map((s, i) => s * item(costs, i)));
        expect(Math.abs(kept - (sum(costs) - amount)) / most).toBeLessThan(1e-4);
      }
      for (const s of projected) expect(s >= 0 && s <= 1).toBe(true);
      const again = projectToBudget(projected, players, constraints);
      for (const [i, s] of again.entries()) expect(s).toBeCloseTo(item(projected, i), 9);
    }
  });

  test("is the nearest point that meets the budget", () => {
    const keep = [0.9, 0.2, 0.6, 1.4, -0.3];
    const constraints = constraintsOf(
      2,
      keep.map(() => ({ kind: "block" })),
    );
    const projected = projectToBudget(keep, [0, 1, 2, 3, 4], constraints);
    const distance = (other: readonly number[]) => sum(other.map((s, i) => (s - item(keep, i)) ** 2));
    for (let draw = 0; draw < 200; draw++) {
      const other = projectToBudget(
        keep.map(() => random.uniform()),
        [0, 1, 2, 3, 4],
        constraints,
      );
      expect(distance(other)).toBeGreaterThanOrEqual(distance(projected) - 1e-9);
    }
  });
});

test("a drawn mask has exactly the asked number, each place as often as its probability says", () => {
  const random = randomStream(5, "masks");
  const keep = [0.1, 0.9, 0.35, 0.65, 0, 1, 0.5, 0.5];
  const draws = 20_000;
  const counts = keep.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    const mask = drawMask(keep, random);
    expect(sum(mask)).toBe(4);
    for (const [i, bit] of mask.entries()) counts[i] = item(counts, i) + bit;
  }
  for (const [i, s] of keep.entries()) {
    // Within four standard errors of the binomial.
    expect(Math.abs(item(counts, i) / draws - s)).toBeLessThanOrEqual(4 * Math.sqrt((s * (1 - s)) / draws));
  }
});
