import { describe, expect, it } from "vitest";
import { playerCosts } from "../../../src/evaluation/sublayers.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { compareByDepth, prefixCost, sortByDepth } from "../../../src/game/depth-order.ts";
import { randomStream } from "../../../src/shapley/random.ts";

function randomSet(players: number, random: ReturnType<typeof randomStream>): Set<number> {
  return new Set(Array.from({ length: players }, (_, i) => i).filter(() => random.uniform() < 0.5));
}

describe("Coalition", () => {
  for (const players of [1, 3, 31, 32, 33, 64, 100, 512]) {
    it(`behaves like a set of numbers with ${players} players`, () => {
      const random = randomStream(players, "sets");
      for (let t = 0; t < 20; t++) {
        const set = randomSet(players, random);
        const coalition = Coalition.of(players, set);
        expect([...coalition]).toEqual([...set]);
        expect(coalition.size).toBe(set.size);
        expect(coalition.absent()).toEqual(
          Array.from({ length: players }, (_, i) => i).filter((i) => !set.has(i)),
        );
        expect(Coalition.fromKey(players, coalition.key).equals(coalition)).toBe(true);
        expect(coalition.complement().complement().key).toBe(coalition.key);
        expect(Coalition.without(players, coalition.absent()).key).toBe(coalition.key);
        const player = random.integer(0, players - 1);
        expect(coalition.with(player).has(player)).toBe(true);
        expect(coalition.without(player).has(player)).toBe(false);
        const from = random.integer(0, players);
        expect(coalition.sizeFrom(from)).toBe([...set].filter((i) => i >= from).length);
        const other = randomSet(players, random);
        const differing = Array.from({ length: players }, (_, i) => i).find(
          (i) => set.has(i) !== other.has(i),
        );
        expect(coalition.firstDifference(Coalition.of(players, other))).toBe(differing ?? players);
      }
      expect(Coalition.full(players).size).toBe(players);
      expect(Coalition.empty(players).size).toBe(0);
    });
  }

  it("writes the set as a hexadecimal number with player 0 the lowest bit", () => {
    expect(Coalition.of(10, [0, 4, 9]).key).toBe("211");
    expect(Coalition.full(10).key).toBe("3ff");
    expect(Coalition.empty(33).key).toBe("000000000");
  });

  it("refuses players that do not exist and keys that are none", () => {
    expect(() => Coalition.of(4, [4])).toThrow(/got the member 4.*0 to 3/);
    expect(() => Coalition.full(513)).toThrow(/got 513 players.*1 to 512/);
    expect(() => Coalition.fromKey(10, "7ff")).toThrow(/above 9/);
    expect(() => Coalition.fromKey(10, "7f")).toThrow(/3 lower-case hexadecimal digits/);
  });
});

describe("depth order", () => {
  it("puts coalitions with a common beginning together and counts the trie's nodes", () => {
    const random = randomStream(1, "tries");
    const coalitions = Array.from({ length: 60 }, () => Coalition.of(9, randomSet(9, random)));
    const prefixes = new Set<string>();
    for (const coalition of coalitions) {
      let prefix = "";
      for (const member of coalition) {
        prefix += `${member},`;
        prefixes.add(prefix);
      }
    }
    expect(prefixCost(coalitions)).toBe(prefixes.size);
    const sorted = sortByDepth(coalitions);
    for (let i = 1; i < sorted.length; i++) {
      expect(compareByDepth(sorted[i - 1] as Coalition, sorted[i] as Coalition)).toBeLessThanOrEqual(0);
    }
  });

  it("counts blocks where players are of other sizes, and blocks of no player stand between them", () => {
    const players = [["block.1"], ["attention.2"], ["attention.4", "feed-forward.4", "block.5"]] as const;
    const costs = playerCosts(players, 7);
    // Blocks 0, 3 and 6 and the feed-forward of block 2 are nobody's.
    expect(costs).toEqual({ own: [1, 0.5, 2], restFrom: [2.5, 2.5, 1], rest: 3.5 });
    const coalitions = Array.from({ length: 8 }, (_, mask) =>
      Coalition.of(
        3,
        [0, 1, 2].filter((player) => (mask >>> player) & 1),
      ),
    );
    // The trie over half blocks, walked by hand: what each coalition computes, as the road to it.
    const halves = [[2, 3], [4], [8, 9, 10, 11]];
    const owner = new Map(halves.flatMap((of, player) => of.map((half) => [half, player] as const)));
    const roads = new Set<string>();
    for (const coalition of coalitions) {
      let road = "";
      for (let half = 0; half < 14; half++) {
        const player = owner.get(half);
        if (player !== undefined && !coalition.has(player)) continue;
        road += `${half},`;
        roads.add(road);
      }
    }
    expect(prefixCost(coalitions, costs)).toBe(roads.size / 2);
  });

  it("costs nothing for nothing", () => {
    expect(prefixCost([])).toBe(0);
    expect(prefixCost([Coalition.empty(5)])).toBe(0);
    expect(prefixCost([Coalition.full(5), Coalition.full(5)])).toBe(5);
    const costs = playerCosts([["block.1"], ["block.3"]], 5);
    expect(prefixCost([Coalition.full(2), Coalition.full(2)], costs)).toBe(5);
    expect(prefixCost([], costs)).toBe(0);
  });
});
