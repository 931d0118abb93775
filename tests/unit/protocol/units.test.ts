import { expect, test } from "vitest";
import { checkUnits, parseUnit } from "../../../src/protocol/units.ts";

test("a unit's name is its kind and its block", () => {
  expect(parseUnit("feed-forward.12")).toEqual({ kind: "feed-forward", block: 12 });
});

test.each(["", "block", "block.", "block.-1", "block.1.2", "mlp.3", "block.x", "attention.1 "])(
  "%j is no unit",
  (name) => {
    expect(() => parseUnit(name)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  },
);

test("units come back by depth, each once", () => {
  expect(checkUnits(["block.9", "attention.2", "block.2", "block.9"], 10)).toEqual([
    "block.2",
    "attention.2",
    "block.9",
  ]);
});

test("a group is its units", () => {
  expect(checkUnits(["block.4+block.3", "block.1"], 10)).toEqual(["block.1", "block.3", "block.4"]);
});

test("a block beyond the model is refused with the numbers there are", () => {
  expect(() => checkUnits(["block.10"], 10)).toThrow("numbered 0 to 9");
});
