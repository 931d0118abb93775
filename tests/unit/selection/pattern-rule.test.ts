import { describe, expect, test } from "vitest";
import { gameFromFunction } from "../../../src/game/game.ts";
import { searchGame } from "../../../src/selection/index.ts";
import { keepsPattern } from "../../../src/selection/pattern.ts";
import { PatternRule } from "../../../src/selection/pattern-rule.ts";
import { strategies } from "../../../src/selection/strategy-choice.ts";

const depth = 12;
/** As in SmolLM3: every fourth block is of another kind. */
const pattern = {
  kinds: Array.from({ length: depth }, (_, block) => (block % 4 === 3 ? "nope" : "rope")),
  period: 4,
  last: "nope",
};
const players = Array.from({ length: depth }, (_, block) => `block.${block}`);
/** What each block costs by itself, and neighbours together besides. */
const worths = [9, 1, 7, 6, 3, 8, 2, 10, 4, 5, 11, 12];
const game = gameFromFunction(
  (kept) => {
    const gone = kept.absent();
    return -gone.reduce((sum, block) => sum + (worths[block] ?? 0) + (gone.includes(block + 1) ? 3 : 0), 0);
  },
  { players },
);

function subsets(size: number, from = 0): number[][] {
  if (size === 0) return [[]];
  return Array.from({ length: depth - from }, (_, at) => from + at).flatMap((first) =>
    subsets(size - 1, first + 1).map((rest) => [first, ...rest]),
  );
}

const blocksOf = (removed: readonly string[]) => removed.map((label) => Number(label.slice("block.".length)));
const alike = players.map((_, i) => players.map((__, j) => Math.exp(-Math.abs(i - j) / 3)));
const named = strategies
  .filter((name) => name !== "knapsack")
  .map((name) => (name === "clusters" ? { name, similarities: alike } : { name }));

describe("the rule", () => {
  const rule = new PatternRule(pattern, players, [...players.keys()]);

  test("knows what can still become a set that keeps the order, as all sets say", () => {
    for (const count of [1, 2, 3, 4, 5]) {
      const keeping = subsets(count).filter((set) => keepsPattern(pattern, set));
      for (const begun of [...subsets(1), ...subsets(2)]) {
        const expected = keeping.some((set) => begun.every((block) => set.includes(block)));
        expect(rule.reaches(begun, [...players.keys()], count)).toBe(expected);
        const some = [0, 3, 5, 6, 7, 9, 11];
        const among = keeping.some(
          (set) => begun.every((block) => set.includes(block)) && set.every((block) => some.includes(block)),
        );
        if (begun.every((block) => some.includes(block))) {
          expect(rule.reaches(begun, some, count)).toBe(among);
        }
      }
    }
  });
});

describe("a search", () => {
  test.each(named)("by $name chooses what keeps the order", async (strategy) => {
    for (const budget of [4, 5]) {
      // The run of neighbours that keeps the order is as long as the period.
      if (strategy.name === "span" && budget === 5) continue;
      const found = await searchGame(game, { strategy, budget, pattern, evaluations: 120 } as const);
      expect(found.removed).toHaveLength(budget);
      expect(keepsPattern(pattern, blocksOf(found.removed))).toBe(true);
    }
  });

  test.each(["beam", "surrogate", "evolutionary", "policy-gradient"] as const)(
    "by %s finds the best of them",
    async (strategy) => {
      const value = (set: readonly number[]) =>
        -set.reduce((sum, block) => sum + (worths[block] ?? 0) + (set.includes(block + 1) ? 3 : 0), 0);
      const best = Math.max(
        ...subsets(4)
          .filter((set) => keepsPattern(pattern, set))
          .map(value),
      );
      const found = await searchGame(game, { strategy, budget: 4, pattern, evaluations: 200 });
      expect(found.value).toBe(best);
      expect(best).toBeLessThan(Math.max(...subsets(4).map(value)));
    },
  );

  test("begins with sets that break the order", async () => {
    const start = [{ removed: ["block.1", "block.4", "block.6", "block.8"] }] as const;
    for (const strategy of ["beam", "evolutionary", "policy-gradient", "surrogate"] as const) {
      const found = await searchGame(game, { strategy, budget: 4, pattern, start, evaluations: 60 });
      expect(keepsPattern(pattern, blocksOf(found.removed))).toBe(true);
    }
  });

  test("under a cost that all blocks have alike, and at every size that can be", async () => {
    const parts = Object.fromEntries(
      players.map((label) => [
        label,
        { kind: "block", costs: { bytes: 10, odd: label === "block.3" ? 1 : 2 } },
      ]),
    );
    const found = await searchGame(game, {
      strategy: "beam",
      budget: { cost: "bytes", amount: 35 },
      parts,
      pattern,
    });
    expect(found.removed).toHaveLength(4);
    await expect(
      searchGame(game, { strategy: "beam", budget: { cost: "odd", amount: 5 }, parts, pattern }),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("number of blocks"),
    });
    const every = await searchGame(game, {
      strategy: { name: "surrogate", everySize: true },
      budget: 5,
      pattern,
      evaluations: 40,
    });
    expect(keepsPattern(pattern, blocksOf(every.removed))).toBe(true);
  });

  test("is refused what cannot be", async () => {
    const search = (options: object) =>
      searchGame(game, { strategy: "greedy", budget: 2, pattern, ...options });
    const candidates = ["block.0", "block.1", "block.2"];
    await expect(search({ candidates })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("no 2 of the 3 candidates can go so. Numbers that can: none"),
    });
    await expect(search({ strategy: "knapsack" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("cannot keep the order"),
    });
    await expect(search({ pattern: { kinds: [], period: 0, last: "" } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const others = gameFromFunction(() => 0, { players: ["attention.0", "attention.1"] });
    await expect(searchGame(others, { strategy: "greedy", budget: 1, pattern })).rejects.toMatchObject({
      message: expect.stringContaining('the player "attention.0" is no whole block'),
    });
  });
});
