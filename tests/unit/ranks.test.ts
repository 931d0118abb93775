import { expect, test } from "vitest";
import { correlation, kendallTau, ranking, ranksOf, sharedFirst, spearman } from "../../src/ranks.ts";

test("ranking keeps equal values in order; ranks of equal values are their mean", () => {
  expect(ranking(Float64Array.of(3, 1, 2, 1))).toEqual([1, 3, 2, 0]);
  expect(ranksOf([3, 1, 3, 2])).toEqual([3.5, 1, 3.5, 2]);
  expect(ranksOf([])).toEqual([]);
});

test("correlations of known answers", () => {
  expect(correlation([1, 2, 3], [1, 2, 2])).toBeCloseTo(Math.sqrt(3) / 2, 12);
  expect(spearman([1, 2, 3, 4], [1, 4, 9, 16])).toBeCloseTo(1, 12);
  // By the formula 1 - 6 sum d^2 / (n (n^2 - 1)), which holds without ties.
  expect(spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])).toBeCloseTo(1 - (6 * 4) / (5 * 24), 12);
  // A mean of equal numbers may be off by a bit, which must not read as a spread.
  expect(correlation([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN();
  expect(spearman([1, 2, 3], [7, 7, 7])).toBeNaN();
});

test("tau-b corrects for ties", () => {
  // 5 pairs vary in the first, 6 in the second; 5 agree.
  expect(kendallTau([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(5 / Math.sqrt(30), 12);
  // The example of scipy's documentation.
  expect(kendallTau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])).toBeCloseTo(-0.4714045207910316, 12);
  expect(kendallTau([1, 1, 1], [1, 2, 3])).toBeNaN();
});

test("two orders share what both begin with", () => {
  expect(sharedFirst([0, 1, 2, 3], [1, 0, 3, 2], 1)).toBe(0);
  expect(sharedFirst([0, 1, 2, 3], [1, 0, 3, 2], 2)).toBe(1);
  expect(sharedFirst([0, 1, 2, 3], [1, 0, 3, 2], 3)).toBeCloseTo(2 / 3, 12);
});
