import { expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { type Budget, constraintsOf, sumOf } from "../../../src/selection/budget.ts";
import { leastScore } from "../../../src/selection/strategies/knapsack.ts";
import { randomStream } from "../../../src/shapley/random.ts";

const players = 20;
const budgets: Budget[] = [
  7,
  { attention: 4, "feed-forward": 2 },
  { cost: "bytes", share: 0.4 },
  { cost: "bytes", amount: 9.5, kind: "attention" },
  [
    { cost: "bytes", share: 0.3 },
    { cost: "latency", share: 0.25 },
  ],
];

test.each(budgets.flatMap((budget) => [1, 2].map((seed) => ({ budget, seed }))))(
  "the knapsack of $budget equals exhaustive search over 20 units (seed $seed)",
  ({ budget, seed }) => {
    const random = randomStream(seed, "knapsack");
    const scores = Array.from({ length: players }, () => random.normal() + 0.7);
    const parts = Array.from({ length: players }, (_, i) => ({
      kind: i % 2 === 0 ? "attention" : "feed-forward",
      costs: { bytes: 1 + 4 * random.uniform(), latency: 0.5 + random.uniform() },
    }));
    const constraints = constraintsOf(budget, parts);
    const mayGo = scores.map((_, i) => i).filter((i) => constraints.some(({ costs }) => item(costs, i) > 0));
    let least = Number.POSITIVE_INFINITY;
    const sums = constraints.map(() => 0);
    // Depth first, so that a set's sums come from those of the set before it.
    const visit = (at: number, score: number): void => {
      if (at === mayGo.length) {
        const met = constraints.every(({ amount, exact }, c) =>
          exact ? item(sums, c) === amount : item(sums, c) >= amount,
        );
        if (met) least = Math.min(least, score);
        return;
      }
      visit(at + 1, score);
      const player = item(mayGo, at);
      for (const [c, { costs }] of constraints.entries()) sums[c] = item(sums, c) + item(costs, player);
      visit(at + 1, score + item(scores, player));
      for (const [c, { costs }] of constraints.entries()) sums[c] = item(sums, c) - item(costs, player);
    };
    visit(0, 0);
    const removed = leastScore(mayGo, scores, constraints);
    expect(removed.reduce((total, player) => total + item(scores, player), 0)).toBeCloseTo(least, 9);
    for (const constraint of constraints) {
      if (constraint.exact) expect(sumOf(constraint, removed)).toBe(constraint.amount);
      else expect(sumOf(constraint, removed)).toBeGreaterThanOrEqual(constraint.amount * (1 - 1e-12));
    }
  },
);
