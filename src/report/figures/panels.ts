import { rulerOf } from "./axes.ts";
import { drawBars } from "./bars-panel.ts";
import { chart, type Picture, type Tools } from "./chart.ts";
import { drawIntervals } from "./intervals.ts";
import {
  cutSeries,
  drawEndLabels,
  drawExits,
  drawReference,
  endsOf,
  lineMarks,
  lineTips,
  styleSeries,
  valuesOf,
  widestOf,
} from "./line-marks.ts";
import { widthOfNames } from "./text-width.ts";
import type { Family, LinesPanel, Panel, PanelsFigure } from "./types.ts";

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
      return drawBars(tools, panel, families, size);
    case "intervals":
      return drawIntervals(tools, panel, size.width);
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function drawLinesPanel(tools: Tools, panel: LinesPanel, families: readonly Family[], size: Size): Picture {
  const series = styleSeries(panel.series, families);
  const reference = panel.reference === undefined ? [] : [panel.reference.low, panel.reference.high];
  const y = rulerOf(panel.y, [...valuesOf(series, "y"), ...reference], { room: size.height > 200 ? 7 : 5 });
  const labels = panel.labels
    ? endsOf(series, { short: true, most: size.width * 0.32, frame: { x: panel.x, y } })
    : [];
  const margins = {
    top: 8,
    bottom: 26,
    left: widthOfNames(y.ticks),
    right: labels.length > 0 ? 22 + widestOf(labels) : 10,
  };
  const width = size.width - margins.left - margins.right;
  const x = rulerOf(panel.x, valuesOf(series, "x"), { room: 7, tight: true, width });
  const height = Math.max(size.height, labels.length * 14 + 24);
  const bounds = { width: size.width, height, ...margins };
  const inner = { left: margins.left, right: size.width - margins.right, short: true };
  const cut = cutSeries(series, x, y);
  let tips = "";
  const { content } = chart(tools, { ...bounds, x, y }, lineMarks(tools, cut, { small: true }), {
    under: (at) => (panel.reference === undefined ? "" : drawReference(panel.reference, at, inner).strip),
    over: (at) => {
      tips = lineTips(series, { ...panel, ruler: x }, at, bounds);
      const words = panel.reference === undefined ? "" : drawReference(panel.reference, at, inner).words;
      const left = size.width - margins.right + 14;
      return (
        drawExits(cut, at) + words + drawEndLabels(labels, at, { gap: 14, top: 8, bottom: height - 12, left })
      );
    },
  });
  return { width: size.width, height, title: panel.title, content, tips };
}
