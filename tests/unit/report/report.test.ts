import { expect, test } from "vitest";
import { formatBytes, formatNumber, formatSeconds } from "../../../src/platform/format.ts";
import { renderBars } from "../../../src/report/bars.ts";
import { renderTable } from "../../../src/report/table.ts";

test("a table aligns its columns", () => {
  const text = renderTable(
    [{ title: "unit" }, { title: "value", align: "right" }],
    [
      ["block.0", "1"],
      ["b", "12.5"],
    ],
  );
  expect(text).toBe(["unit     value", "-------  -----", "block.0      1", "b         12.5"].join("\n"));
});

test("bars are linear, in eighths of a character, and a cut bar says so", () => {
  const text = renderBars(
    [
      { label: "a", value: 1 },
      { label: "bb", value: 0.25, note: "0.25" },
      { label: "c", value: 9 },
    ],
    {
      width: 2,
      limit: 1,
    },
  );
  expect(text.split("\n")).toEqual(["a  ██", "bb ▌   0.25", "c  ██»"]);
});

test("all values 0 draw no bar", () => {
  expect(renderBars([{ label: "a", value: 0 }])).toBe("a");
});

test("numbers, bytes and times", () => {
  expect([0, 0.0415238, 1234.5678, 1e-7, 2.5e7].map((value) => formatNumber(value))).toEqual([
    "0",
    "0.04152",
    "1235",
    "1.000e-7",
    "2.500e+7",
  ]);
  expect([12, 1500, 538_000_000].map(formatBytes)).toEqual(["12 B", "1.5 kB", "538.0 MB"]);
  expect([1.25, 119.7].map(formatSeconds)).toEqual(["1.3 s", "2 min 0 s"]);
});
