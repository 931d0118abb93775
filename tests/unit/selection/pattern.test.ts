import { describe, expect, it } from "vitest";
import { type BlockPattern, keepsPattern, nearestKeepingPattern } from "../../../src/selection/pattern.ts";
import cases from "../../pattern-cases.json" with { type: "json" };

/** A model whose blocks have the kinds of their numbers. */
function inOrder(depth: number, period: number): BlockPattern {
  const kinds = Array.from({ length: depth }, (_, block) =>
    (block + 1) % period === 0 ? "full" : "sliding",
  );
  return { kinds, period, last: "full" };
}

function subsets(depth: number): number[][] {
  return Array.from({ length: 2 ** depth }, (_, bits) =>
    Array.from({ length: depth }, (_, block) => block).filter((block) => (bits >> block) & 1),
  );
}

describe("removals and the order of kinds", () => {
  it.each(cases)(
    "$name: the nearest sets are those that the worker names",
    ({ pattern, removed, nearest }) => {
      expect(nearestKeepingPattern(pattern, removed)).toEqual(nearest);
      for (const one of nearest) expect(keepsPattern(pattern, one)).toBe(true);
    },
  );

  it("keeps the order exactly where the kinds that stay are those of their new numbers", () => {
    const pattern = inOrder(12, 6);
    expect(keepsPattern(pattern, [])).toBe(true);
    expect(keepsPattern(pattern, [1, 4])).toBe(false);
    expect(keepsPattern(pattern, [7, 8])).toBe(false);
    expect(keepsPattern(pattern, [7, 11])).toBe(true);
    expect(keepsPattern(pattern, [0, 1, 2, 3, 4, 5])).toBe(true);
    expect(keepsPattern(null, [1, 4])).toBe(true);
  });

  it("finds the least change there is, against all subsets", () => {
    for (const period of [2, 3, 4]) {
      const pattern = inOrder(9, period);
      const keeping = subsets(9).filter((set) => set.length < 9 && keepsPattern(pattern, set));
      for (const removed of [[], [1], [0, 4], [2, 3, 7], [0, 1, 5, 8]]) {
        const [found] = nearestKeepingPattern(pattern, removed, 1);
        const same = keeping.filter((set) => set.length === found?.length);
        const changes = (set: readonly number[]) =>
          set.filter((block) => !removed.includes(block)).length +
          removed.filter((block) => !set.includes(block)).length;
        expect(changes(found as number[])).toBe(Math.min(...same.map(changes)));
        const away = Math.min(...keeping.map((set) => Math.abs(set.length - removed.length)));
        expect(Math.abs((found as number[]).length - removed.length)).toBe(away);
      }
    }
  });

  it("refuses blocks that are not there", () => {
    expect(() => keepsPattern(inOrder(6, 2), [6])).toThrow("There is no block 6 in a model of 6");
    expect(() => nearestKeepingPattern(inOrder(6, 2), [0], 0)).toThrow(
      "count: expected a whole number from 1 on",
    );
  });
});
