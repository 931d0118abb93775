/** A report as files: what stands in them, and what a document is refused for. */
import { existsSync, readdirSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { DepthkitError } from "../../../src/errors.ts";
import { loadTools, type Tools } from "../../../src/report/figures/chart.ts";
import { cutLine } from "../../../src/report/figures/cut-lines.ts";
import { drawFigure } from "../../../src/report/figures/draw.ts";
import { drawLines } from "../../../src/report/figures/lines.ts";
import { withFontFiles } from "../../../src/report/fonts.ts";
import type { Figure, LinesFigure, ReportDocument, ReportFiles } from "../../../src/report/index.ts";
import { renderReport } from "../../../src/report/index.ts";
import { drawPngs } from "../../../src/report/png.ts";
import { temporaryFolder } from "../platform/temporary-folder.ts";
import { sampleDocument } from "./sample-document.ts";

const figures = sampleDocument.sections.flatMap((section) => section.figures);
let files: ReportFiles;
let page: string;
let tools: Tools;
const textOf = (name: string) => new TextDecoder().decode(files.get(name));

beforeAll(async () => {
  files = await renderReport(sampleDocument);
  page = textOf("report.html");
  tools = await loadTools();
});

test("there is a page, and three files per figure", () => {
  const expected = figures.flatMap(({ id }) => ["svg", "png", "csv"].map((type) => `figures/${id}.${type}`));
  expect([...files.keys()].sort()).toEqual(["report.html", ...expected].sort());
  expect(new Set(figures.map(({ kind }) => kind)).size).toBe(7);
});

test("equal documents give equal bytes", async () => {
  const again = await renderReport(structuredClone(sampleDocument));
  for (const [name, bytes] of files)
    expect(Buffer.compare(bytes, again.get(name) ?? new Uint8Array()), name).toBe(0);
});

test("the page runs no script, asks for nothing, and stays small", () => {
  expect(page).not.toMatch(/<script|<link|<iframe|javascript:|\son[a-z]+=|@import/i);
  expect(page).toContain("default-src 'none'");
  const addresses = [...page.matchAll(/(?:href|src)="([^"#]*)|url\(([^)]*)\)/g)].map(
    ([, a, b]) => a ?? b ?? "",
  );
  expect(addresses.filter((address) => address !== "" && !address.startsWith("data:"))).toEqual([]);
  expect(page.length).toBeLessThan(2_000_000);
});

test("every link of the page leads to a place in it", () => {
  const places = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((id) => !places.has(id))).toEqual([]);
});

test("names with signs of HTML are text everywhere", () => {
  expect(page).toContain("order from &lt;file&gt;");
  expect(page).toContain("greedy &amp; adaptive");
  for (const [name, bytes] of files) {
    if (/\.(svg|html)$/.test(name))
      expect(new TextDecoder().decode(bytes), name).not.toMatch(/<(file|city)>/);
  }
});

test("no number of a drawing is missing", () => {
  for (const [name] of files) {
    if (!name.endsWith(".svg")) continue;
    const attributes = [...textOf(name).matchAll(/="([^"]*)"/g)].map(([, value]) => value);
    expect(
      attributes.filter((value) => /NaN|undefined|Infinity|null/.test(value ?? "")),
      name,
    ).toEqual([]);
  }
});

test("files have the colours of one theme; the page has both", async () => {
  expect(textOf("figures/removal.svg")).not.toContain("var(--");
  expect(textOf("figures/removal.svg")).toContain("#1f64b0");
  const dark = await renderReport(sampleDocument, { theme: "dark" });
  expect(new TextDecoder().decode(dark.get("figures/removal.svg"))).toContain("#78b4f4");
  expect(
    Buffer.compare(dark.get("report.html") ?? new Uint8Array(), files.get("report.html") ?? new Uint8Array()),
  ).toBe(0);
  expect(page).toContain("#1f64b0");
  expect(page).toContain("#78b4f4");
});

test("the CSV of a figure has every number as it was given", () => {
  const lines = textOf("figures/removal.csv").trim().split("\n");
  expect(lines[0]).toBe("series,removed blocks,perplexity,low,high");
  const removal = figures.find((figure): figure is LinesFigure => figure.kind === "lines");
  const points = removal?.series.flatMap((series) => series.points.map((point) => ({ series, point }))) ?? [];
  expect(lines.length).toBe(points.length + 1);
  for (const { series, point } of points) {
    expect(lines).toContain(
      [series.name, point.x, point.y, point.low, point.high].map((value) => value ?? "").join(","),
    );
  }
  // Quotes are doubled, and a cell with a comma or a line in it is quoted.
  expect(textOf("figures/text.csv")).toContain('"14, 17, 13, 25"');
});

test("every figure tells who cannot see it what it is", () => {
  for (const { description } of figures) expect(page).toContain(description);
  const drawn = [...page.matchAll(/<svg class="pl"[^>]*>/g)].map(([tag]) => tag);
  expect(drawn.length).toBeGreaterThan(10);
  expect(drawn.filter((tag) => !/role="img" aria-label="[^"]+"/.test(tag))).toEqual([]);
});

const base = {
  id: "small",
  title: "A claim",
  subtitle: "quantity",
  caption: "",
  protocols: [],
  description: "A chart.",
};

function oneLine(points: LinesFigure["series"][number]["points"]): LinesFigure {
  return {
    ...base,
    kind: "lines",
    x: { name: "removed", domain: [0, 4] },
    y: { name: "accuracy", domain: [0, 1] },
    families: [{ name: "all", tone: "blue" }],
    series: [{ name: "cosine", family: "all", emphasis: true, points }],
  };
}

describe("a line", () => {
  const pathsOf = (figure: LinesFigure) =>
    [...drawLines(tools, figure, 860).content.matchAll(/<path d="([^"]*)"[^>]*\/?>/g)].map(
      ([, d]) => d ?? "",
    );

  test("stands where its values are", () => {
    const { content, width, height } = drawLines(
      tools,
      oneLine([
        { x: 0, y: 1 },
        { x: 4, y: 0 },
      ]),
      860,
    );
    const line = /<path d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)"/.exec(content)?.slice(1).map(Number) ?? [];
    const [left = 0, top = 0, right = 0, bottom = 0] = line;
    expect(top).toBe(14);
    expect(bottom).toBe(height - 28);
    // A point halfway lies halfway.
    const [d = ""] = pathsOf(
      oneLine([
        { x: 0, y: 1 },
        { x: 2, y: 0.5 },
        { x: 4, y: 0 },
      ]),
    );
    const middle = d.split("L")[1]?.split(",").map(Number) ?? [];
    expect(middle[0]).toBeCloseTo((left + right) / 2, 0);
    expect(middle[1]).toBeCloseTo((top + bottom) / 2, 0);
    expect(right).toBeLessThan(width);
  });

  test("has a gap where a point is missing, and a mark where one stands alone", () => {
    const points = [0, 1, 2, 3, 4].map((x) => ({ x, y: x === 2 ? null : 0.5 }));
    const [line = ""] = pathsOf(oneLine(points));
    expect(line.match(/M/g)).toHaveLength(2);
    const many = Array.from({ length: 21 }, (_, x) => ({ x: x / 5, y: x === 3 || x === 5 ? null : 0.5 }));
    const marks = drawLines(tools, oneLine(many), 860).content.match(/<circle/g);
    expect(marks).toHaveLength(1);
  });

  test("without any value has no label and breaks nothing", () => {
    const { content } = drawLines(
      tools,
      oneLine([
        { x: 0, y: null },
        { x: 4, y: null },
      ]),
      860,
    );
    expect(content).not.toContain("cosine");
  });

  test("is cut where it leaves its frame, and an arrow and its label say so", () => {
    const points = [
      { x: 0, y: 10 },
      { x: 2, y: 1000 },
      { x: 3, y: 50, low: 5, high: 500 },
      { x: 4, y: 5e7 },
    ];
    const cut = cutLine(points, { scale: "linear" }, { scale: "log", domain: [8, 100] });
    // Halfway between 10 and 1000 lies 100 on a log axis; an interval ends at the edge.
    expect(cut.points.slice(0, 3)).toEqual([
      { x: 0, y: 10 },
      { x: expect.closeTo(1), y: 100, cut: true },
      { x: 2, y: null },
    ]);
    expect(cut.points[4]).toEqual({ x: 3, y: 50, low: 8, high: 100 });
    expect(cut.exits.map(({ y, up }) => [y, up])).toEqual([
      [100, true],
      [100, true],
      [100, true],
    ]);
    const figure = { ...oneLine(points), y: { name: "perplexity", scale: "log", domain: [8, 100] } } as const;
    const { content, tips } = drawLines(tools, figure, 860);
    expect(content).toMatch(/>cosine\s+↑\s+50M</);
    expect(tips).toMatch(/50M\s+cosine/);
  });

  test("has a band only where there are intervals", () => {
    const bare = pathsOf(
      oneLine([
        { x: 0, y: 0.5 },
        { x: 4, y: 0.6 },
      ]),
    ).length;
    const banded = pathsOf(
      oneLine([
        { x: 0, y: 0.5, low: 0.4, high: 0.6 },
        { x: 4, y: 0.6, low: 0.5, high: 0.7 },
      ]),
    ).length;
    expect(banded).toBe(bare + 1);
  });
});

test("a picture has its words: the typeface was found, in both weights", async () => {
  const svg = (words: string, weight: number) =>
    [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40" font-family="Inter" font-size="20" font-weight="`,
      `${weight}"><rect width="200" height="40" fill="#ffffff"/><text x="10" y="28" fill="#000000">`,
      `${words}</text></svg>`,
    ].join("");
  const drawings = [svg("", 400), svg("Perplexity", 400), svg("Perplexity", 650), svg("\u4e2d", 400)];
  const pngs = await drawPngs(drawings);
  const ink = await Promise.all(pngs.map(darkPixels));
  const [none = -1, regular = 0, bold = 0, strange = 0] = ink;
  expect(none).toBe(0);
  expect(regular).toBeGreaterThan(1000);
  expect(bold).toBeGreaterThan(regular * 1.15);
  // A character that no bundled file has is shown as such, not left out.
  expect(strange).toBeGreaterThan(50);
});

test("nothing is left in the folder for temporary files, whether drawing ends well or not", async () => {
  const folder = temporaryFolder();
  for (const name of ["TMPDIR", "TEMP"]) vi.stubEnv(name, folder);
  let seen = 0;
  const failing = withFontFiles("words", (paths) => {
    seen = paths.filter((path) => path.startsWith(folder) && existsSync(path)).length;
    throw new RangeError("no picture");
  });
  await expect(failing).rejects.toThrow("no picture");
  await withFontFiles("words", () => undefined);
  vi.unstubAllEnvs();
  expect(seen).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

/** Counted by drawing the picture again, with its light parts made black: Node reads no PNG by itself. */
async function darkPixels(png: Uint8Array): Promise<number> {
  const { Resvg } = await import("@resvg/resvg-js");
  const data = Buffer.from(png).toString("base64");
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="80">`,
    `<image href="data:image/png;base64,${data}" width="400" height="80"/></svg>`,
  ].join("");
  const { pixels } = new Resvg(svg).render();
  let dark = 0;
  for (let index = 0; index < pixels.length; index += 4) if ((pixels[index] ?? 255) < 128) dark += 1;
  return dark;
}

describe("a report is refused", () => {
  const withFigure = (figure: Figure): ReportDocument => ({
    ...sampleDocument,
    findings: [],
    sections: [{ id: "only", heading: "Only", paragraphs: [], figures: [figure] }],
    verdicts: { heading: "Claims", introduction: "", claims: [], rule: "" },
  });
  const refusal = async (report: unknown) => {
    const error = await renderReport(report as ReportDocument).catch((caught: DepthkitError) => caught);
    return error instanceof Error ? error.message : "accepted";
  };

  test.each<[string, object, string]>([
    [
      "a number that is none",
      oneLine([{ x: 0, y: Number.NaN }]),
      "report.sections.0.figures.0.series.0.points.0.y: expected a finite number, or null; got NaN.",
    ],
    ["a kind that there is not", { ...base, kind: "pie" }, "kind is one of lines, panels, map"],
    ["an option that there is not", { ...oneLine([]), colour: "red" }, 'there is no option "colour"'],
    ["an id that is no file name", { ...oneLine([]), id: "../up" }, "small letters, digits and hyphens"],
    ["a family that there is not", { ...oneLine([]), families: [] }, 'there is no family "all"'],
    [
      "a protocol that there is not",
      { ...oneLine([]), protocols: ["P9"] },
      'the report has no protocol "P9"',
    ],
    [
      "a link to no figure",
      { ...oneLine([]), caption: [{ figure: "gone" }] },
      'the report has no figure "gone"',
    ],
    [
      "zero on a log axis",
      { ...oneLine([{ x: 0, y: 0 }]), y: { name: "perplexity", scale: "log" } },
      "must be above 0; got 0",
    ],
    ["a number outside the axis", oneLine([{ x: 9, y: 0.5 }]), "9 lies outside of it"],
    ["half an interval", oneLine([{ x: 0, y: 0.5, low: 0.4 }]), "low and high go together"],
    [
      "points out of order",
      oneLine([
        { x: 1, y: 0.5 },
        { x: 1, y: 0.6 },
      ]),
      "order points by x",
    ],
    [
      "a row too short",
      { ...base, kind: "table", columns: [{ title: "a" }, { title: "b" }], rows: [["x"]] },
      "expected 2 cells, one for each column; got 1",
    ],
  ])("for %s", async (_, figure, words) => {
    expect(await refusal(withFigure(figure as Figure))).toContain(words);
  });

  test("for two figures of one name, and options that there are not", async () => {
    const twice = {
      ...sampleDocument,
      sections: [...sampleDocument.sections, { ...(sampleDocument.sections[0] ?? {}), id: "again" }],
    };
    expect(await refusal(twice)).toContain('the name "removal" is taken');
    await expect(renderReport(sampleDocument, { theme: "sepia" } as never)).rejects.toThrow(
      "one of light, dark",
    );
  });
});

test("a drawn table is as wide as its cells need: names alone are cut, and numbers never", () => {
  const cells = Array.from({ length: 9 }, (_, at) => `perplexity ${1000 + at} \u00b1 0.0${at}`);
  const table = (names: string): Figure => ({
    id: "wide",
    title: "A wide table",
    subtitle: "",
    caption: "",
    protocols: [],
    description: "A wide table.",
    kind: "table",
    columns: ["name", ...cells].map((title) => ({ title, detail: "above the policy, in nats per token" })),
    rows: [[names, ...cells]],
  });
  for (const [name, cut] of [
    ["short", false],
    ["a name that goes on ".repeat(30), true],
  ] as const) {
    const drawing = drawFigure(tools, table(name));
    if (drawing.layout !== "html") throw new Error("a table is a picture beside HTML");
    const { width, content } = drawing.picture;
    for (const cell of cells) expect(content).toContain(`>${cell}</text>`);
    expect(content.includes("\u2026")).toBe(cut);
    expect(width).toBeGreaterThan(1400);
  }
});

test("a map of many cells and a table of none are drawn", async () => {
  const cells = Array.from({ length: 60 }, (_, row) =>
    Array.from({ length: 60 }, (_, column) => row - column),
  );
  const entries = cells.map((_, index) => `block ${index}`);
  const map: Figure = {
    ...base,
    kind: "map",
    x: { name: "from", entries },
    y: { name: "to", entries },
    value: { name: "distance" },
    cells,
    shading: {
      kind: "signed",
      positive: { tone: "orange", label: "up" },
      negative: { tone: "blue", label: "down" },
      limit: 60,
    },
  };
  const table: Figure = {
    ...base,
    id: "empty",
    kind: "table",
    columns: [{ title: "nothing", bar: { tone: "blue" } }],
    rows: [],
  };
  const { sections: _, verdicts: __, findings: ___, ...rest } = sampleDocument;
  const report = {
    ...rest,
    findings: [],
    sections: [{ id: "a", heading: "A", paragraphs: [], figures: [map, table] }],
  };
  const drawn = await renderReport(report);
  expect(drawn.size).toBe(7);
});
