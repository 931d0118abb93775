/**
 * Clusters of blocks, and LoRP's choice by them, on cases that scikit-learn and numpy agree with
 * (tests/python).
 */
import { describe, expect, test } from "vitest";
import { searchGame } from "../../../src/selection/index.ts";
import { spectralClusters } from "../../../src/selection/spectral-clusters.ts";
import { clustersFor } from "../../../src/selection/strategies/clusters.ts";
import { gameFromFunction } from "../../../src/shapley/index.ts";
import cases from "../../cluster-cases.json" with { type: "json" };

const affinity = (similarities: readonly (readonly number[])[]) =>
  similarities.map((row) => row.map((one) => (one + 1) / 2));

describe.each(cases)("$name", ({ similarities, labels, removed, clusters }) => {
  test.each(Object.entries(labels))("%s clusters", (count, expected) => {
    expect(spectralClusters(affinity(similarities), Number(count))).toEqual(expected);
  });

  test("how many clusters its locality asks for", () => {
    expect(clustersFor(similarities)).toBe(clusters);
  });

  const game = gameFromFunction((coalition) => coalition.size, { players: similarities.length });
  const protect = [game.players[0] ?? "", game.players.at(-1) ?? ""];

  test.each(Object.entries(removed))("%s are removed", async (count, expected) => {
    const strategy = { name: "clusters", similarities } as const;
    const found = await searchGame(game, { strategy, budget: Number(count), protect });
    expect(found.removed).toEqual(expected.map((place) => game.players[place]));
    expect(found.evaluations).toBe(1);
  });
});

test("of players that are all alike the first go, whatever the clusters", async () => {
  const similarities = Array.from({ length: 6 }, () => new Array<number>(6).fill(1));
  const game = gameFromFunction((coalition) => coalition.size, { players: 6 });
  const strategy = { name: "clusters", similarities, clusters: 2 } as const;
  const one = await searchGame(game, { strategy, budget: 3 });
  expect(await searchGame(game, { strategy, budget: 3 })).toEqual(one);
  expect(one.removed).toEqual(game.players.slice(0, 3));
});

test.each([
  [undefined, "needs `similarities`"],
  [[[1]], "has 1 rows; it needs 2"],
  [
    [
      [1, 0.5],
      [0.4, 1],
    ],
    "players 0 and 1 is 0.5 one way and 0.4 the other",
  ],
  [
    [
      [1, 2],
      [2, 1],
    ],
    "from -1 to 1",
  ],
])("similarities %j are refused", async (similarities, words) => {
  const game = gameFromFunction((coalition) => coalition.size, { players: 2 });
  const strategy = { name: "clusters", ...(similarities && { similarities }) } as const;
  await expect(searchGame(game, { strategy, budget: 1 })).rejects.toThrow(words);
});
