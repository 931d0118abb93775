import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { CachedGame } from "../../../src/game/cache.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { prefixCost } from "../../../src/game/depth-order.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { searchGame } from "../../../src/selection/index.ts";
import { type NamedStrategy, strategies } from "../../../src/selection/strategy-choice.ts";
import { depthGame, lossesWithout, lossOf } from "./depth-games.ts";

const whole = depthGame(7);
const { game } = whole;

/** Players 2 and 5 are twins: either may go for nothing, and both together cost more than all others. */
const costs = [3, 4, 0.1, 5, 2, 0.1];
const twins = gameFromFunction(
  (kept) =>
    -kept.absent().reduce((sum, i) => sum + item(costs, i), 0) - (kept.has(2) || kept.has(5) ? 0 : 100),
  { players: 6, costOf: prefixCost },
);

/** Every strategy by its name, with what it cannot do without. */
const alike = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 12 }, (_, j) => Math.exp(-Math.abs(i - j) / 3)),
);
const choices = strategies.map((name) =>
  name === "clusters" ? { name, similarities: alike } : { name },
) as readonly NamedStrategy[];

describe("every strategy", () => {
  test.each(choices)(
    "$name removes the asked number, and says what it spent",
    async (strategy: NamedStrategy) => {
      const found = await searchGame(game, { strategy, budget: 3, evaluations: 80 });
      expect(found.removed).toHaveLength(3);
      expect(found.kept).toHaveLength(9);
      expect(found.evaluations).toBeLessThanOrEqual(80);
      const gone = found.removed.map((player) => game.players.indexOf(player));
      expect(found.value).toBe(-lossOf(whole, Coalition.without(12, gone)));
      expect(found.trace.at(-1)).toMatchObject({ removed: found.removed, value: found.value });
      expect(found.trace.map(({ evaluations }) => evaluations)).toEqual(
        found.trace.map(({ evaluations }) => evaluations).sort((a, b) => a - b),
      );
      expect(found.archive[3]?.[0]?.value).toBeGreaterThanOrEqual(found.value);
    },
  );

  test.each(choices)("$name evaluates nothing when it is repeated", async (strategy: NamedStrategy) => {
    const cached = new CachedGame(game);
    const options = { strategy, budget: 3, evaluations: 60, seed: 4 } as const;
    const first = await searchGame(cached, options);
    const { evaluated } = cached.counts;
    const second = await searchGame(cached, options);
    expect(cached.counts.evaluated).toBe(evaluated);
    expect(second).toEqual(first);
  });

  test.each(choices)(
    "$name spares protected players and all that are no candidates",
    async (strategy: NamedStrategy) => {
      const candidates = game.players.slice(1, 9);
      const protect = ["player.1", "player.4"];
      const found = await searchGame(game, { strategy, budget: 2, candidates, protect, evaluations: 60 });
      for (const sets of Object.values(found.archive)) {
        for (const { removed } of sets) {
          for (const player of removed) {
            expect(candidates).toContain(player);
            expect(protect).not.toContain(player);
          }
        }
      }
    },
  );

  test.each(choices)("$name stops when its signal is aborted", async (strategy: NamedStrategy) => {
    const signal = AbortSignal.abort();
    await expect(searchGame(game, { strategy, budget: 2, signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  test.each(choices.filter(({ name }) => name !== "span"))(
    "$name meets budgets of mixed kinds and of costs",
    async (strategy: NamedStrategy) => {
      const kinds = ["attention", "feed-forward"] as const;
      const parts = Object.fromEntries(
        game.players.map((player, i) => [
          player,
          {
            kind: kinds[i % 2] as string,
            costs: { parameters: i % 2 === 0 ? 4 : 9, kv: i % 2 === 0 ? 1 : 0 },
          },
        ]),
      );
      const byKind = await searchGame(game, {
        strategy,
        budget: { attention: 2, "feed-forward": 1 },
        parts,
        evaluations: 80,
      });
      expect(byKind.removed.map((player) => parts[player]?.kind).sort()).toEqual([
        "attention",
        "attention",
        "feed-forward",
      ]);
      const spent = (removed: readonly string[], cost: "parameters" | "kv") =>
        removed.reduce((sum, player) => sum + (parts[player]?.costs[cost] ?? Number.NaN), 0);
      const byShare = await searchGame(game, {
        strategy,
        budget: { cost: "parameters", share: 0.3 },
        parts,
        evaluations: 90,
      });
      expect(spent(byShare.removed, "parameters")).toBeGreaterThanOrEqual(0.3 * 78);
      for (const player of byShare.removed) {
        const without = byShare.removed.filter((other) => other !== player);
        expect(spent(without, "parameters")).toBeLessThan(0.3 * 78);
      }
      const both = await searchGame(game, {
        strategy,
        budget: [
          { cost: "parameters", amount: 20 },
          { cost: "kv", share: 0.5 },
        ],
        parts,
        evaluations: 100,
      });
      expect(spent(both.removed, "parameters")).toBeGreaterThanOrEqual(20);
      expect(spent(both.removed, "kv")).toBeGreaterThanOrEqual(3);
    },
  );
});

test("iterative keeps one of two twins, and lowest loses both", async () => {
  const budget = 2;
  const once = await searchGame(twins, { strategy: "lowest", budget });
  expect(once.removed).toEqual(["player.2", "player.5"]);
  const again = await searchGame(twins, { strategy: "iterative", budget });
  expect(again.removed).toEqual(["player.2", "player.4"]);
});

test("iterative asks its own scores again after each removal", async () => {
  const asked: string[][] = [];
  const found = await searchGame(twins, {
    strategy: "iterative",
    budget: 3,
    scores: (removed) => {
      asked.push([...removed]);
      return [0, 1, 2, 3, 4, 5].map((score) => (removed.length === 1 ? -score : score));
    },
  });
  expect(asked).toEqual([[], ["player.0"], ["player.0", "player.5"]]);
  expect(found.removed).toEqual(["player.0", "player.1", "player.5"]);
  expect(found.evaluations).toBe(1);
  expect(found.untried).toEqual(["player.2", "player.3", "player.4"]);
});

test("scores may come with their name, as toScores gives them", async () => {
  const scores = Object.fromEntries(twins.players.map((player, at) => [player, -at]));
  const options = { strategy: "lowest", budget: 2 } as const;
  const named = await searchGame(twins, { ...options, scores: { name: "cosine", scores } });
  expect(named.removed).toEqual(["player.4", "player.5"]);
  expect(named).toMatchObject({ removed: (await searchGame(twins, { ...options, scores })).removed });
  const few = { name: "cosine", scores: { "player.0": 1 } };
  await expect(searchGame(twins, { ...options, scores: few })).rejects.toThrow('"player.1" is NaN');
});

test("greedy equals its definition", async () => {
  const gone: number[] = [];
  for (let round = 0; round < 5; round++) {
    const left = game.players.map((_, i) => i).filter((i) => !gone.includes(i));
    const losses = left.map((i) => lossOf(whole, Coalition.without(12, [...gone, i])));
    gone.push(item(left, losses.indexOf(Math.min(...losses))));
  }
  const found = await searchGame(game, { strategy: "greedy", budget: 5 });
  expect(found.removed).toEqual(gone.sort((a, b) => a - b).map((i) => game.players[i]));
  expect(found.evaluations).toBe(12 + 11 + 10 + 9 + 8);
  expect(found.trace.map(({ tried }) => tried.length)).toEqual([12, 11, 10, 9, 8]);
});

test("a beam of one without exchanges to make is greedy, and a wider one is no worse", async () => {
  const one = await searchGame(game, { strategy: "greedy", budget: 5 });
  const wide = await searchGame(game, { strategy: { name: "beam", width: 6 }, budget: 5 });
  expect(wide.value).toBeGreaterThanOrEqual(one.value);
});

test("tail takes those before the last, span the nearest run", async () => {
  expect((await searchGame(game, { strategy: "tail", budget: 3 })).removed).toEqual([
    "player.8",
    "player.9",
    "player.10",
  ]);
  const distances = [0, 1, 2].map((less) => Array.from({ length: 12 - less }, (_, l) => Math.abs(l - 4)));
  const found = await searchGame(game, { strategy: { name: "span", distances }, budget: 3 });
  expect(found.removed).toEqual(["player.4", "player.5", "player.6"]);
  const valued = await searchGame(game, { strategy: "span", budget: 3 });
  const runs = Array.from({ length: 10 }, (_, l) => -lossOf(whole, Coalition.without(12, [l, l + 1, l + 2])));
  expect(valued.value).toBe(Math.max(...runs));
});

test("a search starts from another's archive", async () => {
  const earlier = await searchGame(game, { strategy: "greedy", budget: 5 });
  const start = Object.values(earlier.archive).flat();
  const options = { budget: 5, start, evaluations: 120 };
  for (const strategy of ["beam", "evolutionary", "policy-gradient", "surrogate"] as const) {
    const found = await searchGame(game, { strategy, ...options });
    expect(found.value).toBeGreaterThanOrEqual(earlier.value);
  }
});

test("a surrogate that starts from several sets looks at crossings of them first", async () => {
  const seen: (readonly number[])[] = [];
  const wide = gameFromFunction(
    (kept) => {
      seen.push(kept.absent());
      return -kept.absent().length;
    },
    { players: 40 },
  );
  const names = (from: number) => [0, 1, 2, 3].map((at) => `player.${from + at}`);
  const start = [{ removed: names(0) }, { removed: names(4) }];
  await searchGame(wide, { strategy: "surrogate", budget: 4, start, evaluations: 40 });
  const crosses = (gone: readonly number[]) =>
    gone.every((at) => at < 8) && gone.some((at) => at < 4) && gone.some((at) => at > 3);
  expect(seen.slice(0, 14).filter(crosses).length).toBeGreaterThan(2);
});

test("evolution lets few of the sets through to the game itself where there are cheaper ones", async () => {
  const noisy = gameFromFunction(
    (kept) => -lossOf(whole, kept) + 0.02 * Math.sin(997 * Number.parseInt(kept.key, 16)),
    { players: 12, values: ["loss"] },
  );
  const dear = new CachedGame(game);
  const cheap = new CachedGame(noisy);
  const found = await searchGame(dear, {
    strategy: { name: "evolutionary", offspring: 16 },
    budget: 5,
    evaluations: 60,
    fidelities: [{ game: cheap, weight: 1 / 16 }],
  });
  expect(dear.counts.evaluated).toBeLessThan(cheap.counts.evaluated / 2);
  expect(found.evaluations).toBeCloseTo(dear.counts.evaluated + cheap.counts.evaluated / 16, 9);
  expect(found.evaluations).toBeLessThanOrEqual(60);
});

test("a surrogate learns from cheaper games, whatever they are off by, and few sets meet the game", async () => {
  const off = gameFromFunction(
    (kept) => 3 - lossOf(whole, kept) + 0.02 * Math.sin(997 * Number.parseInt(kept.key, 16)),
    { players: 12, values: ["loss"] },
  );
  const best = item(lossesWithout(whole, 5), 0);
  for (const seed of [1, 2, 3]) {
    const [dear, cheap] = [new CachedGame(game), new CachedGame(off)];
    const search = { strategy: "surrogate", budget: 5, evaluations: 24, seed } as const;
    const alone = await searchGame(game, search);
    const found = await searchGame(dear, { ...search, fidelities: [{ game: cheap, weight: 1 / 8 }] });
    expect(found.evaluations).toBeCloseTo(dear.counts.evaluated + cheap.counts.evaluated / 8, 9);
    expect(found.evaluations).toBeLessThanOrEqual(24);
    expect(dear.counts.evaluated).toBeLessThan(cheap.counts.evaluated / 2);
    expect(found.value).toBe(
      -lossOf(
        whole,
        Coalition.without(
          12,
          found.removed.map((player) => game.players.indexOf(player)),
        ),
      ),
    );
    expect(-found.value - best, `seed ${seed}`).toBeLessThanOrEqual(-alone.value - best);
  }
});

test("block evaluations are those of the game", async () => {
  const found = await searchGame(twins, { strategy: "greedy", budget: 1 });
  const sets = [0, 1, 2, 3, 4, 5].map((i) => Coalition.without(6, [i]));
  expect(found.cost).toBe(prefixCost(sets));
});

test.each([
  [{ strategy: "best" as "greedy", budget: 2 }, "strategy: expected one of lowest, iterative"],
  [
    { strategy: { name: "beam", wide: 3 } as never, budget: 2 },
    'strategy "beam": there is no option "wide"; options: width',
  ],
  [{ strategy: "greedy", budget: 0 }, "remove nothing"],
  [{ strategy: "greedy", budget: 13 }, "all candidates together are 12"],
  [{ strategy: "greedy", budget: { attention: 1 } }, 'kind "attention"'],
  [{ strategy: "greedy", budget: { cost: "bytes", share: 0.5 } }, "undefined of it"],
  [{ strategy: "greedy", budget: 2, scores: [1, 2] }, "makes no use of `scores`"],
  [{ strategy: "lowest", budget: 2, scores: [1, 2] }, "got 2 scores for 12 players"],
  [{ strategy: "iterative", budget: 2, scores: new Array(12).fill(1) }, "fixed scores"],
  [{ strategy: "greedy", budget: 2, candidates: ["block.77"] }, '"block.77"'],
  [{ strategy: "greedy", budget: 2, value: "kl" }, '"kl"'],
  [
    { strategy: "beam", budget: 2, protect: ["player.3"], start: [{ removed: ["player.3"] }] },
    "no candidate",
  ],
  [{ strategy: "greedy", budget: 2, evaluations: 0 }, "evaluations: expected a whole number from 1 on"],
] as const)("%j is refused", async (options, words) => {
  await expect(searchGame(game, options as never)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(words),
  });
});

test("a greedy search that cannot be paid for says at once what it needs", async () => {
  const cached = new CachedGame(game);
  await expect(searchGame(cached, { strategy: "greedy", budget: 3, evaluations: 30 })).rejects.toMatchObject({
    code: "BUDGET_TOO_SMALL",
    details: { evaluations: 30, minimum: 33 },
  });
  expect(cached.counts.evaluated).toBe(0);
});
