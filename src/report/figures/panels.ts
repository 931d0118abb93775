import { type Ruler, rulerOf } from "./axes.ts";
import { chart, type Picture, type Tools } from "./chart.ts";
import { drawIntervals } from "./intervals.ts";
import {
  drawEndLabels,
  drawReference,
  endsOf,
  lineMarks,
  lineTips,
  styleSeries,
  toneOf,
  valuesOf,
  widestOf,
} from "./line-marks.ts";
import { writeNumber, writeQuantity } from "./numbers.ts";
import { colour } from "./svg.ts";
import { textWidth } from "./text-width.ts";
import { stripTip } from "./tips.ts";
import type { BarsPanel, DepthBar, Family, LinesPanel, Panel, PanelsFigure } from "./types.ts";

/** Small charts, one picture each; the page lays them side by side. */
export function drawPanels(tools: Tools, figure: PanelsFigure): Picture[] {
  const size = figure.columns === 3 ? { width: 280, height: 190 } : { width: 420, height: 290 };
  return figure.panels.map((panel) => drawPanel(tools, panel, figure.families, size));
}

function drawPanel(tools: Tools, panel: Panel, families: readonly Family[], size: Size): Picture {
  switch (panel.kind) {
    case "lines":
      return drawLinesPanel(tools, panel, families, size);
    case "bars":
      return drawBarsPanel(tools, panel, families, size);
    case "intervals":
      return drawIntervals(tools, panel, size.width);
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const leftOf = (ticks: readonly { text: string }[]) =>
  12 + Math.max(12, ...ticks.map(({ text }) => textWidth(text, 12)));

function drawLinesPanel(tools: Tools, panel: LinesPanel, families: readonly Family[], size: Size): Picture {
  const series = styleSeries(panel.series, families);
  const reference = panel.reference === undefined ? [] : [panel.reference.low, panel.reference.high];
  const y = rulerOf(panel.y, [...valuesOf(series, "y"), ...reference], { room: size.height > 200 ? 7 : 5 });
  const labels = panel.labels ? endsOf(series, { short: true, most: size.width * 0.32 }) : [];
  const margins = {
    top: 8,
    bottom: 26,
    left: leftOf(y.ticks),
    right: labels.length > 0 ? 22 + widestOf(labels) : 10,
  };
  const width = size.width - margins.left - margins.right;
  const x = rulerOf(panel.x, valuesOf(series, "x"), { room: 7, tight: true, width });
  const height = Math.max(size.height, labels.length * 14 + 24);
  const bounds = { width: size.width, height, ...margins };
  const inner = { left: margins.left, right: size.width - margins.right, short: true };
  let tips = "";
  const { content } = chart(tools, { ...bounds, x, y }, lineMarks(tools, series, { small: true }), {
    under: (at) => (panel.reference === undefined ? "" : drawReference(panel.reference, at, inner).strip),
    over: (at) => {
      tips = lineTips(series, { ...panel, ruler: x }, at, bounds);
      const words = panel.reference === undefined ? "" : drawReference(panel.reference, at, inner).words;
      const left = size.width - margins.right + 14;
      return words + drawEndLabels(labels, at, { gap: 14, top: 8, bottom: height - 12, left });
    },
  });
  return { width: size.width, height, title: panel.title, content, tips };
}

/** Half a bar beyond the first and the last; between two blocks there is none to name. */
function depthRuler({ x }: BarsPanel, places: readonly number[], width: number): Ruler {
  const domain = [(places[0] ?? 0) - 0.6, (places.at(-1) ?? 0) + 0.6] as const;
  const ruler = rulerOf({ domain, ...x }, places, { room: 7, width });
  if (x.ticks !== undefined || ruler.ticks.every(({ at }) => Number.isInteger(at))) return ruler;
  return rulerOf({ domain, ticks: places, ...x }, places, { width });
}

function drawBarsPanel(tools: Tools, panel: BarsPanel, families: readonly Family[], size: Size): Picture {
  const names = [...new Set(panel.bars.map(({ family }) => family))];
  const places = [...new Set(panel.bars.map(({ x }) => x))].sort((a, b) => a - b);
  const values = panel.bars.flatMap(({ y, low, high }) => [y, low, high].flatMap((value) => value ?? []));
  const y = rulerOf(panel.y, values, { fromZero: true, room: size.height > 200 ? 7 : 5 });
  const margins = { top: 8, bottom: 26, left: leftOf(y.ticks), right: 10 };
  const x = depthRuler(panel, places, size.width - margins.left - margins.right);
  const floor = y.scale === "log" ? y.domain[0] : 0;
  const each = 0.8 / Math.max(1, names.length);
  const start = ({ x: at, family }: DepthBar) => at - 0.4 + names.indexOf(family) * each;
  const drawn = panel.bars.filter((bar) => bar.y !== null);
  const anyMarked = drawn.some(({ marked }) => marked);
  const place = { x1: start, x2: (bar: DepthBar) => start(bar) + each, y1: floor, y2: "y" };
  // Pale bars would let the lines of the grid through.
  const ground = tools.plot.rectY(drawn, { ...place, fill: colour.bg });
  const bars = tools.plot.rectY(drawn, {
    ...place,
    fill: (bar: DepthBar) => colour[toneOf(bar.family, families)],
    fillOpacity: (bar: DepthBar) => (anyMarked && !bar.marked ? 0.4 : 1),
  });
  const whiskers = tools.plot.ruleX(
    drawn.filter(({ low, high }) => low !== undefined && high !== undefined),
    { x: (bar: DepthBar) => start(bar) + each / 2, y1: "low", y2: "high", stroke: colour.ink },
  );
  const bounds = { ...size, ...margins };
  let tips = "";
  const { content } = chart(
    tools,
    { ...bounds, x, y },
    [ground, bars, whiskers, ...(floor === 0 ? [tools.plot.ruleY([0], { stroke: colour.mute })] : [])],
    {
      over: (at) => {
        const half = Math.abs(at.x(1) - at.x(0)) / 2;
        tips = places
          .map((place) =>
            stripTip(at.x(place), [at.x(place) - half, at.x(place) + half], linesAt(place), bounds),
          )
          .join("");
        return "";
      },
    },
  );
  return { ...size, title: panel.title, content, tips };

  function linesAt(place: number): string[] {
    const here = panel.bars.filter((bar) => bar.x === place);
    const words = here.map(({ family, y: value, low, high }) => {
      if (value === null) return `${family}: not measured`;
      const spread =
        low === undefined || high === undefined
          ? ""
          : ` [${writeNumber(low, panel.y.format)}, ${writeNumber(high, panel.y.format)}]`;
      return `${family}: ${writeQuantity(value, panel.y)}${spread}`;
    });
    return [`${panel.x.name} ${writeQuantity(place, panel.x)}`, ...words];
  }
}
