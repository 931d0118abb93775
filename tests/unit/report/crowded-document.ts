/** A made-up report of figures at their limits: long names, many series, few points, other scripts. */
import type { Figure, LineSeries, ReportDocument } from "../../../src/report/index.ts";

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const base = {
  subtitle:
    "A quantity whose description is so long that it must be broken on every screen there is, in some unit",
  caption: "A caption.",
  protocols: ["P1"],
  description: "A crowded figure, of the kind that a study may give.",
};
const long = "a ranking whose name somebody wrote without thinking of labels, variant";

const falling = (index: number): LineSeries => ({
  name: `${long} ${index}`,
  family: index % 2 === 0 ? "even" : "odd",
  points: range(9).map((x) => ({ x: x * 3.54 + index / 10, y: 0.62 - 0.03 * x - 0.0001 * index })),
});

const figures: Figure[] = [
  {
    ...base,
    kind: "lines",
    id: "many",
    title: "Twenty-four lines end at nearly one height, and each has its label",
    x: { name: "parameters removed", unit: "M" },
    y: { name: "accuracy", format: { style: "percent" } },
    families: [
      { name: "even", tone: "violet" },
      { name: "odd", tone: "grey" },
    ],
    series: range(24).map(falling),
    reference: {
      low: 0.56,
      high: 0.62,
      label: "as good as the whole model within two standard errors of the difference",
    },
  },
  {
    ...base,
    kind: "lines",
    id: "one",
    title: "One line of one point",
    x: { name: "removed" },
    y: { name: "loss", scale: "log" },
    families: [{ name: "all", tone: "blue" }],
    series: [{ name: "only", family: "all", points: [{ x: 3, y: 41.5, low: 40, high: 43 }] }],
  },
  {
    ...base,
    kind: "lines",
    id: "outlier",
    title: "One line leaves the frame, and comes back",
    x: { name: "removed", ticks: [{ at: 0, below: "whole" }, 1, 2, 3, 4, 5] },
    y: { name: "perplexity", scale: "log", domain: [28, 130] },
    families: [
      { name: "by influence", tone: "blue" },
      { name: "controls", tone: "grey" },
    ],
    series: [
      {
        name: "cosine",
        family: "by influence",
        emphasis: true,
        points: range(6).map((x) => ({ x, y: 30 * 1.2 ** x, low: 29 * 1.2 ** x, high: 34 * 1.2 ** x })),
      },
      {
        name: "tail",
        family: "controls",
        points: [30, 4e4, 60, 20, 2e6, 5e8].map((y, x) => ({ x, y, low: y / 2, high: y * 2 })),
      },
    ],
    whole: { x: 0, y: 30, label: "whole model" },
  },
  {
    ...base,
    kind: "intervals",
    id: "depth",
    title: "Thirty players of one target, with the chance of twelve sets",
    groups: [
      {
        title: "Shapley value",
        tone: "blue",
        value: { name: "value", unit: "nats" },
        players: range(30).map((index) => ({
          name: `feed-forward.${index}`,
          value: Math.cos(index) / 3,
          low: Math.cos(index) / 3 - 0.2,
          high: Math.cos(index) / 3 + 0.1,
        })),
        lowest: {
          k: range(12).map((index) => index + 1),
          players: range(8).map((index) => ({
            name: `feed-forward.${index}`,
            chances: range(12).map((k) => (index + k) / 18),
          })),
          together: range(12).map(() => 0.001),
        },
      },
    ],
  },
  {
    ...base,
    kind: "panels",
    id: "small",
    title: "Panels of three kinds",
    columns: 2,
    families: [
      { name: "block", tone: "ink" },
      { name: "attention", tone: "orange" },
    ],
    panels: [
      {
        kind: "intervals",
        title: "Values",
        tone: "green",
        value: { name: "value", scale: "log" },
        players: [
          { name: "block.1", value: 0.003 },
          { name: "block.2", value: 12, low: 3, high: 40 },
        ],
      },
      {
        kind: "bars",
        title: "Two kinds, some below zero",
        x: { name: "depth" },
        y: { name: "cost", unit: "nats" },
        bars: range(12).flatMap((x) => [
          { x, y: Math.sin(x), family: "block" },
          { x, y: Math.cos(x) / 2, family: "attention" },
        ]),
      },
      {
        kind: "bars",
        title: "Nothing",
        x: { name: "depth" },
        y: { name: "cost" },
        bars: [{ x: 0, y: null, family: "block" }],
      },
      {
        kind: "lines",
        title: "Eleven lines with long names",
        x: { name: "evaluations", scale: "log" },
        y: { name: "error", scale: "log" },
        labels: true,
        series: range(11).map((index) => ({
          name: `${long} ${index}`,
          family: "attention",
          points: [32, 64, 128, 256].map((x) => ({ x, y: 1 / x + index / 900 })),
        })),
      },
    ],
  },
  {
    ...base,
    kind: "map",
    id: "wide-map",
    title: "Eighty layers",
    x: { name: "first", entries: range(80).map((index) => `block ${index}`) },
    y: { name: "length", entries: range(12).map((index) => `${index + 1} blocks`) },
    value: { name: "angular distance" },
    cells: range(12).map((row) =>
      range(80).map((column) => (row + column > 80 ? null : 0.001 * (row + 1) * (column + 1))),
    ),
    shading: { kind: "one", tone: "green", weakest: 0.001, strongest: 0.9 },
  },
  {
    ...base,
    kind: "scatter",
    id: "single",
    title: "One cost alone",
    families: [{ name: "block", tone: "blue" }],
    panels: [
      {
        title: "latency",
        x: { name: "latency", unit: "ms" },
        y: { name: "accuracy", format: { style: "percent" } },
        better: { x: "lower", y: "higher" },
        points: range(14).map((index) => ({
          name: `${index} removed`,
          label: `−${index} blocks`,
          family: "block",
          x: 40 - index * 2 + (index % 3),
          y: 0.6 - 0.003 * index ** 1.5,
          yLow: 0.58 - 0.003 * index ** 1.5,
          yHigh: 0.62 - 0.003 * index ** 1.5,
        })),
      },
    ],
  },
  {
    ...base,
    kind: "table",
    id: "wide-table",
    title: "Fourteen columns",
    columns: range(14).map((index) => ({
      title: index === 0 ? "a repair with a long name" : `measure ${index}`,
      ...(index === 3 ? { bar: { tone: "green" as const } } : {}),
    })),
    rows: range(6).map((row) =>
      range(14).map((index) => (index === 0 ? `${long} ${row}` : (row - 2) * index * 1.37)),
    ),
  },
  {
    ...base,
    kind: "texts",
    id: "scripts",
    title: "Text in other scripts, and text without a space",
    prompts: [
      {
        prompt: "Übersetze: “naïve” → Ελλάδα",
        answers: [
          { name: "whole model", text: "中文文本没有空格所以必须在任何地方换行".repeat(6) },
          { name: "removed", text: `${"x".repeat(300)} Привет ≥ ½ <script>alert(1)</script>` },
        ],
      },
    ],
  },
];

export const crowdedDocument: ReportDocument = {
  kicker: ["Study report", "organisation/a-model-with-a-name-that-does-not-end-Instruct-v0.3-GGUF"],
  title:
    "A headline with a word that no phone has room for: organisation/a-model-with-a-name-that-does-not-end",
  standfirst: "Everything here is at its limit.",
  numbers: [{ value: "1,234,567", text: "a long number" }],
  findings: [],
  sections: [{ id: "all", heading: "All figures", paragraphs: [], figures }],
  protocols: [{ id: "P1", name: "Made up", description: "Nothing was measured." }],
  environment: [{ name: "weights", value: "0123456789abcdef".repeat(12) }],
};
