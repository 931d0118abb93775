import { describe, expect, it } from "vitest";
import { CachedGame } from "../../../src/game/cache.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { compareByDepth } from "../../../src/game/depth-order.ts";
import { type Game, gameFromFunction } from "../../../src/game/game.ts";
import { groupUnits, unitGame, valueOfMeasure } from "../../../src/game/unit-game.ts";
import { spy } from "../shapley/games.ts";

const size = gameFromFunction((c) => [c.size, -c.size], { players: 5, values: ["a", "b"] });
const sets = [[0, 1], [2], [], [0, 1], [0, 1, 2, 3, 4]].map((members) => Coalition.of(5, members));

describe("CachedGame", () => {
  it("evaluates each coalition once, in depth order, and answers in the order asked", async () => {
    const { game, calls, batches } = spy(size);
    const cached = new CachedGame(game);
    const answer = await cached.evaluate(sets);
    expect([...answer]).toEqual([2, -2, 1, -1, 0, 0, 2, -2, 5, -5]);
    await cached.evaluate(sets);
    expect([...calls.values()]).toEqual([1, 1, 1, 1]);
    expect(batches).toHaveLength(1);
    const order = (batches[0] as string[]).map((key) => Coalition.fromKey(5, key));
    expect([...order].sort(compareByDepth)).toEqual(order);
    expect(cached.counts).toEqual({ asked: 10, hits: 6, evaluated: 4 });
  });

  it("waits for what another caller is evaluating", async () => {
    const { game, calls } = spy(size);
    const cached = new CachedGame(game);
    const [first, second] = await Promise.all([cached.evaluate(sets), cached.evaluate(sets.slice(0, 2))]);
    expect([...second]).toEqual([...first].slice(0, 4));
    expect([...calls.values()].every((count) => count === 1)).toBe(true);
  });

  it("does not fail a caller because another one cancelled", async () => {
    let started: () => void = () => undefined;
    const underWay = new Promise<void>((resolve) => {
      started = resolve;
    });
    let calls = 0;
    const slow: Game = {
      ...size,
      async evaluate(coalitions, options) {
        calls++;
        started();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return size.evaluate(coalitions, options);
      },
    };
    const cached = new CachedGame(slow);
    const abort = new AbortController();
    const cancelled = cached.evaluate(sets, { signal: abort.signal });
    await underWay;
    const other = cached.evaluate(sets);
    abort.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await other).length).toBe(10);
    expect(calls).toBe(2);
  });

  it("passes on a failure and can be asked again", async () => {
    let fail = true;
    const cached = new CachedGame({
      ...size,
      evaluate: (coalitions) => (fail ? Promise.reject(new Error("no")) : size.evaluate(coalitions)),
    });
    await expect(Promise.all([cached.evaluate(sets), cached.evaluate(sets)])).rejects.toThrow("no");
    fail = false;
    expect((await cached.evaluate(sets)).length).toBe(10);
  });

  it("refuses values that are not finite and answers of the wrong length", async () => {
    const infinite = gameFromFunction((c) => (c.size === 1 ? Number.NaN : 0), { players: 3 });
    await expect(new CachedGame(infinite).evaluate([Coalition.of(3, [1])])).rejects.toMatchObject({
      code: "NOT_MEASURABLE",
    });
    const short: Game = { ...size, evaluate: async () => new Float64Array(1) };
    await expect(new CachedGame(short).evaluate(sets)).rejects.toThrow(
      /answered with 1 numbers in place of 8/,
    );
  });
});

describe("games", () => {
  it("refuse no player, a name twice, and value functions of the wrong width", async () => {
    expect(() => gameFromFunction(() => 0, { players: 0 })).toThrow(/players: .*from 1 to 512.*got 0/);
    expect(() => gameFromFunction(() => 0, { players: ["a", "a"] })).toThrow(/"a" appears twice/);
    expect(() => gameFromFunction(() => 0, { players: 2, values: [] })).toThrow(/names no value/);
    await expect(
      gameFromFunction(() => [1, 2], { players: 2 }).evaluate([Coalition.full(2)]),
    ).rejects.toThrow(/2 numbers/);
  });

  it("over units turn measures into values, lower-is-better ones negated", async () => {
    const units = Array.from({ length: 7 }, (_, i) => `block.${i}`);
    const groups = groupUnits(units, 3);
    expect(groups.map((group) => group.length)).toEqual([2, 2, 3]);
    expect(() => groupUnits(units, 8)).toThrow(/got 8 groups/);
    const game = unitGame({
      players: groups.map((group) => group.join("+")),
      values: [
        valueOfMeasure("loss", { lowerIsBetter: true, cap: 10 }),
        {
          name: "mix",
          measures: ["loss", "accuracy"],
          compute: ({ loss = 0, accuracy = 0 }) => accuracy - loss,
        },
      ],
      source: {
        measures: ["loss", "accuracy"],
        measure: async (coalitions) =>
          Float64Array.from(coalitions.flatMap((coalition) => [3 - coalition.size, coalition.size / 3])),
      },
    });
    expect(game.players).toEqual(["block.0+block.1", "block.2+block.3", "block.4+block.5+block.6"]);
    expect(game.values).toEqual(["loss", "mix"]);
    expect(game.caps).toEqual({ loss: 10 });
    const answer = await game.evaluate([Coalition.of(3, [0, 2]), Coalition.full(3)]);
    expect([...answer]).toEqual([-1, 2 / 3 - 1, -0, 1]);
  });
});
