/** The numbers behind a drawing: axes, labels, text and how values are written. */
import { expect, test } from "vitest";
import { linearTicks, logTicks, rulerOf } from "../../../src/report/figures/axes.ts";
import { strengthOf } from "../../../src/report/figures/map.ts";
import { writeNumber, writeQuantity } from "../../../src/report/figures/numbers.ts";
import { placeLabels } from "../../../src/report/figures/place-labels.ts";
import { paretoFront } from "../../../src/report/figures/scatter.ts";
import { escapeText, roundGeometry } from "../../../src/report/figures/svg.ts";
import { fitText, textWidth, wrapText } from "../../../src/report/figures/text-width.ts";

test.each([
  [34.879, {}, "34.9"],
  [0.01234, {}, "0.0123"],
  [1234567.8, {}, "1.23M"],
  [491807078, {}, "492M"],
  [4.1e9, {}, "4.1B"],
  [3.2e13, {}, "3.2e13"],
  [134515008, { digits: 0 }, "134,515,008"],
  [12345.6, {}, "12,346"],
  [-0.5, {}, "−0.500"],
  [0, {}, "0"],
  [30, {}, "30"],
  [30, { digits: 1 }, "30.0"],
  [0.12, { style: "percent" }, "12%"],
  [0.0123, { style: "percent" }, "1.2%"],
  [1.33, { style: "times" }, "×1.33"],
  [0.44, { digits: 2, sign: true }, "+0.44"],
  [-0.001, { digits: 2, sign: true }, "0.00"],
  [0.00000012, {}, "1.2e−7"],
] as const)("%d with %o is written %s", (value, format, text) => {
  expect(writeNumber(value, format)).toBe(text);
});

test("a unit stands behind its number", () => {
  expect(writeQuantity(0.5, { name: "loss", unit: "nats", format: { digits: 1 } })).toBe("0.5 nats");
});

test("ticks are round and lie within the axis", () => {
  expect(linearTicks([0, 29], 7)).toEqual([0, 5, 10, 15, 20, 25]);
  expect(linearTicks([-0.04, 0.31], 5)).toEqual([0, 0.1, 0.2, 0.3]);
  expect(logTicks([28, 330], 8)).toEqual([30, 40, 50, 70, 100, 150, 200, 300]);
  expect(logTicks([0.001, 9000], 5)).toEqual([0.01, 1, 100]);
  // Less than a factor of two: the places of a log axis would be one.
  expect(logTicks([41, 52], 7)).toEqual([42, 44, 46, 48, 50, 52]);
});

test("ticks are written with the digits that they need, on a log axis each with its own", () => {
  const linear = rulerOf({ name: "value" }, [0, 1.6], { room: 4 });
  expect(linear.ticks.map(({ text }) => text)).toEqual(["0.0", "0.5", "1.0", "1.5"]);
  const log = rulerOf({ name: "influence", scale: "log" }, [0.0009, 110], { room: 6 });
  expect(log.ticks.map(({ text }) => text)).toEqual(["0.001", "0.01", "0.1", "1", "10", "100"]);
});

test("an axis holds every value, and what its caller says goes before", () => {
  const [low, high] = rulerOf({ name: "perplexity", scale: "log" }, [30, 400]).domain;
  expect(low).toBeLessThan(30);
  expect(high).toBeGreaterThan(400);
  expect(rulerOf({ name: "cost" }, [2, 5], { fromZero: true }).domain[0]).toBe(0);
  expect(rulerOf({ name: "cost", domain: [0, 9] }, [2, 5]).domain).toEqual([0, 9]);
  expect(rulerOf({ name: "cost" }, [3, 3]).domain).toEqual([2, 4]);
  expect(rulerOf({ name: "cost" }, [3], { fromZero: true }).domain[0]).toBe(0);
  expect(rulerOf({ name: "cost" }, [], { tight: true }).domain).toEqual([0, 1]);
});

test("names of places stand apart: fewer are given where there is little room", () => {
  const ticks = Array.from({ length: 31 }, (_, at) => ({ at, text: `block ${at}` }));
  const count = (width: number) =>
    rulerOf({ name: "depth", ticks }, [0, 30], { tight: true, width }).ticks.length;
  expect(count(3000)).toBe(31);
  expect(count(800)).toBe(7);
  expect(count(100)).toBe(2);
  const own = (width: number) => rulerOf({ name: "tokens" }, [0, 90000], { room: 12, width }).ticks.length;
  expect(own(800)).toBeGreaterThan(own(200));
});

test("labels keep their order and their distance, within the chart, near to where they belong", () => {
  const bounds = { gap: 14, top: 8, bottom: 200 };
  expect(placeLabels([50, 100, 150], bounds)).toEqual([50, 100, 150]);
  // Two at one height move half a gap each.
  expect(placeLabels([100, 100], bounds)).toEqual([93, 107]);
  const wanted = [199, 198, 197, 20, 21, 60];
  const placed = placeLabels(wanted, bounds);
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const heights = order.map((index) => placed[index] ?? Number.NaN);
  for (const [index, height] of heights.slice(1).entries()) {
    expect(height - (heights[index] ?? 0)).toBeGreaterThanOrEqual(14 - 1e-9);
  }
  expect(Math.min(...placed)).toBeGreaterThanOrEqual(8);
  expect(Math.max(...placed)).toBeLessThanOrEqual(200);
});

test("the Pareto front has the points that no other beats", () => {
  const at = (name: string, x: number, y: number) => ({ name, family: "block", x, y });
  const points = [
    at("whole", 10, 30),
    at("good", 8, 35),
    at("beaten", 9, 36),
    at("small", 5, 90),
    at("same", 8, 35),
  ];
  const names = (better: Parameters<typeof paretoFront>[1]) =>
    paretoFront(points, better).map(({ name }) => name);
  expect(names({ x: "lower", y: "lower" })).toEqual(["small", "good", "same", "whole"]);
  expect(names({ x: "higher", y: "lower" })).toEqual(["whole"]);
  expect(names({ x: "lower", y: "higher" })).toEqual(["small"]);
});

test("the strength of a colour follows its scale, either way round", () => {
  const log = { kind: "one", tone: "blue", weakest: 0.4, strongest: 0.1, scale: "log" } as const;
  expect(strengthOf(0.2, log)).toBeCloseTo(0.5);
  expect(strengthOf(0.9, log)).toBe(0);
  expect(strengthOf(0.01, log)).toBe(1);
  expect(strengthOf(3, { kind: "one", tone: "blue", weakest: 0, strongest: 4 })).toBe(0.75);
});

test("text is cut and broken to a width, and loses nothing when broken", () => {
  expect(textWidth("iii", 10)).toBeLessThan(textWidth("mmm", 10));
  expect(fitText("a name that is much too long", 60, 12)).toMatch(/^a nam.*…$/);
  expect(fitText("short", 60, 12)).toBe("short");
  const words = `words and a${"very".repeat(20)}longword at the end`;
  const lines = wrapText(words, 100, 12);
  for (const line of lines) expect(textWidth(line, 12)).toBeLessThanOrEqual(100);
  expect(lines.join("").replaceAll(" ", "")).toBe(words.replaceAll(" ", ""));
});

test("numbers are rounded where they place things and nowhere else", () => {
  const path = '<path d="M1.23456,0.98765L-3.000001,4" stroke-opacity="0.123456"/>';
  const svg = `${path}<text x="10.049" aria-label="0.00123">0.00123</text>`;
  expect(roundGeometry(svg)).toBe(
    '<path d="M1.2,0.99L-3,4" stroke-opacity="0.123456"/><text x="10" aria-label="0.00123">0.00123</text>',
  );
});

test("text is escaped, and what XML does not know is replaced", () => {
  expect(escapeText('<b> & "c"')).toBe("&lt;b&gt; &amp; &quot;c&quot;");
  expect(escapeText("a\u0000b\ud800c\u001bd\ufffe")).toBe("a\ufffdb\ufffdc\ufffdd\ufffd");
});
