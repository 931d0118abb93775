import { expect, test } from "vitest";
import { lowest, ranking } from "../../../src/selection/rank.ts";
import { leastSpan } from "../../../src/selection/span.ts";

test("ranking puts the lowest first and keeps equal values in order", () => {
  expect(ranking([3, 1, 2, 1])).toEqual([1, 3, 2, 0]);
});

test("lowest takes from the front of the ranking", () => {
  expect(lowest([3, 1, 2, 1], 3)).toEqual([1, 3, 2]);
  expect(lowest([3, 1], 0)).toEqual([]);
});

test.each([-1, 3, 1.5, Number.NaN])("lowest %d of two is refused", (count) => {
  expect(() => lowest([1, 2], count)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

test("the span is the nearest pair of states that many blocks apart", () => {
  const angular = [[0.3, 0.1, 0.2], [0.5, 0.4], [0.9]];
  expect(leastSpan(angular, 1)).toEqual({ start: 1, length: 1, distance: 0.1 });
  expect(leastSpan(angular, 2)).toEqual({ start: 1, length: 2, distance: 0.4 });
  expect(() => leastSpan(angular, 4)).toThrow("from 1 to 3");
});
