import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import type { Coalition } from "../../../src/game/coalition.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { searchGame } from "../../../src/selection/index.ts";

/** What is lost without each player; the first three are nearly alike. */
const costs = [1, 1.01, 1.02, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const lost = (kept: Coalition) => kept.absent().reduce((sum, player) => sum + item(costs, player), 0);
const exact = gameFromFunction((kept) => -lost(kept), { players: 12 });
/** Off by a shift, and by 0.05 where the first player is gone: it looks worse than the next two. */
const near = gameFromFunction((kept) => -lost(kept) + 0.3 - (kept.has(0) ? 0 : 0.05), { players: 12 });

describe("a search of a game that is only near the one whose values count", () => {
  test("scores again what may be the best, and chooses the best by exact values", async () => {
    const blind = await searchGame(near, { strategy: "greedy", budget: 1 });
    expect(blind.removed).toEqual(["player.1"]);
    expect([blind.finalists, blind.trace.at(-1)?.precision]).toEqual([null, "exact"]);
    const found = await searchGame(near, { strategy: "greedy", budget: 1, exact });
    expect([found.removed, found.value]).toEqual([["player.0"], -1]);
    expect(found.trace.map(({ precision }) => precision)).toEqual(["screen", "exact"]);
    expect(found.trace.at(-1)).toMatchObject({ removed: ["player.0"], value: -1, evaluations: 12 + 3 });
    expect(found.trace.at(-1)?.tried).toHaveLength(3);
    expect(found.evaluations).toBe(15);
    const sets = found.finalists?.sets ?? [];
    // The fourth is four away, and they erred by 0.05.
    expect(sets.map(({ removed }) => removed[0])).toEqual(["player.0", "player.1", "player.2"]);
    expect(sets[0]?.value).toBe(-1);
    expect(sets[0]?.screened).toBeCloseTo(-0.75, 12);
    // The shift that all share is no error.
    expect(found.finalists?.error).toBeCloseTo(0.05, 12);
    expect(found.finalists?.open).toBe(false);
    // The archive is what was searched by.
    expect(found.archive[1]?.[0]).toMatchObject({ removed: ["player.1"] });
  });

  test("says where a set that was not scored again may be as good", async () => {
    const alike = gameFromFunction((kept) => -12 + kept.size, { players: 12 });
    const noisy = gameFromFunction(
      (kept) => -12 + kept.size + kept.absent().reduce((sum, player) => sum + 1e-3 * player, 0),
      { players: 12 },
    );
    const found = await searchGame(noisy, { strategy: "greedy", budget: 1, exact: alike });
    expect(found.removed).toEqual(["player.11"]);
    expect(found.finalists?.sets).toHaveLength(8);
    expect(found.finalists?.open).toBe(true);
    expect(found.finalists?.error).toBeCloseTo(7e-3, 12);
  });

  test("a choice by something else than values is kept, and its value is exact", async () => {
    const found = await searchGame(near, { strategy: "tail", budget: 2, exact });
    expect(found.removed).toEqual(["player.9", "player.10"]);
    expect(found.value).toBe(-23);
    expect(found.finalists?.sets).toHaveLength(1);
  });

  test("another game than the searched one is refused", async () => {
    const other = gameFromFunction(() => 0, { players: 3 });
    await expect(searchGame(near, { strategy: "greedy", budget: 1, exact: other })).rejects.toThrow(
      "the game `exact` has other players than the game that is searched",
    );
    const unnamed = gameFromFunction(() => 0, { players: 12, values: ["kl"] });
    await expect(searchGame(near, { strategy: "greedy", budget: 1, exact: unnamed })).rejects.toThrow(
      'the game `exact` has no value "value"',
    );
  });
});
