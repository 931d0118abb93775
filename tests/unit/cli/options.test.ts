import { expect, test } from "vitest";
import { readEscapes } from "../../../src/cli/schema-flags.ts";
import { parseUnits, realNumber, wholeNumber } from "../../../src/cli/values.ts";

test("bare numbers are blocks, runs include both ends, kinds may be named", () => {
  expect(parseUnits("3, 10-12,attention.5,feed-forward.1-2")).toEqual([
    "block.3",
    "block.10",
    "block.11",
    "block.12",
    "attention.5",
    "feed-forward.1",
    "feed-forward.2",
  ]);
});

test.each(["2:4", "[2,4)", "2..4"])("the half-open form %s is refused with the form there is", (text) => {
  expect(() => parseUnits(text)).toThrow("first-last, both removed");
});

test.each(["x", "5-3", "mlp.2", "1.attention"])("%s is refused", (text) => {
  expect(() => parseUnits(text)).toThrow();
});

test("a seed beyond 2^53 - 1 is refused, not rounded", () => {
  expect(() => wholeNumber(0)("9007199254740993")).toThrow("no whole number");
  expect(wholeNumber(0)("9007199254740991")).toBe(2 ** 53 - 1);
});

test.each(["", "-1", "1.5", "1e3", "0x10"])("%j is no whole number", (text) => {
  expect(() => wholeNumber(0)(text)).toThrow();
});

test("real numbers keep to their bounds", () => {
  expect(realNumber(0, 1)("0.9")).toBe(0.9);
  for (const text of ["", "2", "NaN", "-0.1"]) expect(() => realNumber(0, 1)(text)).toThrow();
});

test("a separator's escapes are read", () => {
  expect(readEscapes("\\n\\n")).toBe("\n\n");
});
