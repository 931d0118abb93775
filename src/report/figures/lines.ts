import { rulerOf } from "./axes.ts";
import { chart, type Picture, type Places, type Tools } from "./chart.ts";
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
import { colour } from "./svg.ts";
import { widthOfNames } from "./text-width.ts";
import type { LinesFigure } from "./types.ts";

/** The main figure, at the width of the page (860) or of a phone (384). */
export function drawLines(tools: Tools, figure: LinesFigure, width: number): Picture {
  const narrow = width < 600;
  const series = styleSeries(figure.series, figure.families);
  const reference = figure.reference === undefined ? [] : [figure.reference.low, figure.reference.high];
  const whole = figure.whole === undefined ? [] : [figure.whole];
  const y = rulerOf(figure.y, [...valuesOf(series, "y"), ...whole.map((point) => point.y), ...reference], {
    room: 8,
  });
  const labels = endsOf(series, {
    ...(narrow ? { short: true, most: 112 } : { short: false, y: figure.y, most: 240 }),
    frame: { x: figure.x, y },
  });
  const gap = narrow ? 13.5 : 15;
  const left = widthOfNames(y.ticks);
  const right = Math.max(16, 26 + widestOf(labels));
  const x = rulerOf(figure.x, [...valuesOf(series, "x"), ...whole.map((point) => point.x)], {
    room: 12,
    tight: true,
    width: width - left - right,
  });
  const below = !narrow && x.ticks.some((tick) => tick.below !== "");
  const margins = { top: 14, bottom: below ? 44 : 28, left, right };
  const height = Math.max(narrow ? 420 : 480, labels.length * gap + margins.top + margins.bottom);
  const bounds = { width, height, ...margins };
  let tips = "";
  const strip = (at: Places) =>
    figure.reference === undefined
      ? { strip: "", words: "" }
      : drawReference(figure.reference, at, { left, right: width - right, short: narrow });
  const cut = cutSeries(series, x, y);
  const marks = [
    ...lineMarks(tools, cut),
    ...whole.map((point) => tools.plot.dot([point], { x: "x", y: "y", fill: colour.ink, r: 4 })),
  ];
  const { content } = chart(tools, { ...bounds, x, y, below }, marks, {
    under: (at) => strip(at).strip,
    over: (at) => {
      tips = narrow ? "" : lineTips(series, { ...figure, ruler: x }, at, bounds);
      const room = { gap, top: 8, bottom: height - 12, left: width - right + 18 };
      return drawExits(cut, at) + strip(at).words + drawEndLabels(labels, at, room);
    },
  });
  return { width, height, content, tips };
}
