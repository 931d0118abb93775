import { expect, test } from "vitest";
import { evenly, spread } from "../../../src/selection/spread.ts";

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

test.each([
  [1367, [32, 8, 16]],
  [56, [32, 8, 16]],
  [1000, [0, 5, 0]],
  [113, [3, 1, 7]],
])("parts of %i sequences each come from all over the text, and share none", (count, sizes) => {
  const wanted = sum(sizes);
  const stretch = Math.floor(count / wanted);
  for (let draw = 0; draw < Math.min(stretch, 30); draw++) {
    const parts = spread(count, sizes, draw);
    expect(parts.map(({ length }) => length)).toEqual(sizes);
    const all = parts.flat().sort((a, b) => a - b);
    // One of each stretch of the text, at one place within it.
    expect(all.map((number) => Math.floor(number / stretch))).toEqual([...all.keys()]);
    expect(new Set(all.map((number) => number % stretch)).size).toBe(1);
    for (const part of parts) {
      expect(part).toEqual([...part].sort((a, b) => a - b));
      // Between two of a part lie at most twice as many stretches as its share of them asks for.
      const gaps = part.slice(1).map((number, at) => (number - (part[at] ?? 0)) / stretch);
      expect(Math.max(0, ...gaps)).toBeLessThanOrEqual((2 * wanted) / part.length);
    }
  }
});

test("draws never share a sequence, and the first ones lie far apart", () => {
  const sizes = [4, 2, 2];
  const draws = Array.from({ length: 50 }, (_, draw) => spread(400, sizes, draw).flat());
  expect(new Set(draws.flat()).size).toBe(400);
  const places = draws.slice(0, 5).map(([first = 0]) => first % 50);
  const apart = places.flatMap((one, at) => places.slice(at + 1).map((other) => Math.abs(one - other)));
  expect(Math.min(...apart)).toBeGreaterThanOrEqual(5);
});

test("some of a list, spaced evenly", () => {
  expect(evenly([0, 1, 2, 3, 4, 5, 6, 7], 2)).toEqual([2, 6]);
  expect(evenly([3, 1, 2], 3)).toEqual([3, 1, 2]);
  expect(evenly([5], 0)).toEqual([]);
});
