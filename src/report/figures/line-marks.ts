/** Lines, their bands and points: what the main figure and small panels of lines share. */
import type * as PlotModule from "@observablehq/plot";
import type { Ruler } from "./axes.ts";
import type { Places, Tools } from "./chart.ts";
import { arrow, type CutLine, cutLine, type FramedPoint } from "./cut-lines.ts";
import { writeNumber, writeQuantity } from "./numbers.ts";
import { placeLabels } from "./place-labels.ts";
import { colour, element, label, round, textColour } from "./svg.ts";
import { fitText, textWidth } from "./text-width.ts";
import { stripTip } from "./tips.ts";
import type { Axis, Family, LinePoint, LineSeries, ReferencePoint, ReferenceStrip, Tone } from "./types.ts";

/** A series with its colour and its dash decided. */
export interface StyledSeries extends LineSeries {
  readonly tone: Tone;
  readonly strokeDash: string | undefined;
}

const DASHES = { solid: undefined, dashed: "5 3", dotted: "1.5 3", "dash-dot": "8 3 2 3" } as const;
const IN_TURN = [undefined, "5 3", "1.5 3", "8 3 2 3", "10 4", "3 2", "8 3 2 3 2 3"] as const;

/** Colour by family; within one, a dash each, in the order given. */
export function styleSeries(series: readonly LineSeries[], families: readonly Family[]): StyledSeries[] {
  const seen = new Map<string, number>();
  return series.map((one) => {
    const turn = seen.get(one.family) ?? 0;
    if (one.dash === undefined) seen.set(one.family, turn + 1);
    const strokeDash = one.dash === undefined ? IN_TURN[turn % IN_TURN.length] : DASHES[one.dash];
    return { ...one, tone: toneOf(one.family, families), strokeDash };
  });
}

export const toneOf = (family: string, families: readonly Family[]): Tone =>
  families.find(({ name }) => name === family)?.tone ?? "ink";

/** The same lines within a frame. */
export interface CutSeries extends Omit<StyledSeries, "points">, CutLine {}

export const cutSeries = (series: readonly StyledSeries[], x: Ruler, y: Ruler): CutSeries[] =>
  series.map((one) => ({ ...one, ...cutLine(one.points, x, y) }));

/** Every number along an axis, intervals too: what its domain must hold. */
export function valuesOf(series: readonly LineSeries[], along: "x" | "y"): number[] {
  return series.flatMap(({ points }) =>
    points.flatMap((point) =>
      along === "x" ? [point.x] : [point.y, point.low, point.high].flatMap((value) => value ?? []),
    ),
  );
}

/** Two spaces that no reader of SVG makes one. */
const SPACE = "\u00a0\u00a0";

/** Many points make a line unreadable if each has a mark. */
const MANY_POINTS = 16;

export function lineMarks(
  { plot }: Tools,
  series: readonly CutSeries[],
  { small = false }: { small?: boolean } = {},
): PlotModule.Markish[] {
  // Many bands upon each other hide what they are of; those of the strong lines stay.
  const many = series.filter(({ points }) => points.some(hasBand)).length > 3;
  const bands = series.flatMap((one) => {
    const points = one.points.map(({ x, y, low, high }) => ({ x, low: y === null ? null : low, high }));
    if (!points.some(({ low }) => low !== undefined && low !== null)) return [];
    const fillOpacity = many && !one.emphasis ? 0.07 : 0.16;
    const options = { x: "x", y1: "low", y2: "high", fill: colour[one.tone], fillOpacity };
    return [plot.areaY(points, options as PlotModule.AreaYOptions)];
  });
  // A band of one point has no width, so its interval is a line.
  const whiskers = series.map((one) => {
    const alone = one.points.filter(
      (point, index) => hasBand(point) && ![index - 1, index + 1].some((next) => hasBand(one.points[next])),
    );
    return plot.ruleX(alone, {
      x: "x",
      y1: "low",
      y2: "high",
      stroke: colour[one.tone],
      strokeWidth: 3,
      strokeOpacity: 0.3,
    });
  });
  const lines = series.map((one) => plot.line(one.points as FramedPoint[], lineOptions(one, small)));
  const dots = series.map((one) => {
    const points = one.points.filter((point, index) => point.y !== null && hasMark(one, point, index));
    const full = one.emphasis === true || small || one.points.length > MANY_POINTS;
    return plot.dot(points, {
      x: "x",
      y: "y",
      r: small ? 2.6 : 3,
      stroke: colour[one.tone],
      fill: full ? colour[one.tone] : (point: LinePoint) => (point.marked ? colour[one.tone] : colour.bg),
    } as PlotModule.DotOptions);
  });
  return [...bands, ...whiskers, ...lines, ...dots];
}

function lineOptions(one: CutSeries, small: boolean): PlotModule.LineOptions {
  const strong = one.emphasis === true;
  return {
    x: "x",
    y: "y",
    stroke: colour[one.tone],
    strokeWidth: strong ? 2.6 : small ? 1.7 : 1.4,
    strokeOpacity: strong || small ? 1 : 0.85,
    ...(one.strokeDash === undefined ? {} : { strokeDasharray: one.strokeDash }),
  } as PlotModule.LineOptions;
}

const hasBand = (point: LinePoint | undefined) =>
  point !== undefined && point.y !== null && point.low !== undefined;

/** A point between two gaps is no line, so it needs a mark. */
function hasMark({ points }: CutLine, point: FramedPoint, index: number): boolean {
  if (point.cut) return false;
  const alone = (points[index - 1]?.y ?? null) === null && (points[index + 1]?.y ?? null) === null;
  return point.marked === true || alone || points.length <= MANY_POINTS;
}

export interface EndLabel {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly tone: Tone;
  readonly bold: boolean;
}

/**
 * The last measured point of each line, with its words; of one that has left the frame the place where it
 * did, with an arrow. Lines without any point have no end.
 */
export function endsOf(
  series: readonly StyledSeries[],
  { short, y, most, frame }: { short: boolean; y?: Axis; most: number; frame: { x: Axis; y: Ruler } },
): EndLabel[] {
  return series.flatMap((one) => {
    const last = one.points.findLast((point) => point.y !== null);
    if (last === undefined || last.y === null) return [];
    const [bottom, top] = frame.y.domain;
    const beyond = last.y > top || last.y < bottom;
    const { exits } = cutLine(one.points, { scale: frame.x.scale ?? "linear" }, frame.y);
    const place = (beyond ? exits.at(-1) : undefined) ?? { x: last.x, y: last.y };
    const sign = beyond ? `${SPACE}${last.y > top ? "↑" : "↓"}` : "";
    const name = short ? (one.short ?? one.name) : one.name;
    const value = y === undefined ? "" : `${SPACE}${writeNumber(last.y, y.format)}`;
    const bold = one.emphasis === true;
    const text = fitText(name, most - textWidth(value + sign, 12, bold), 12, bold) + sign + value;
    return [{ text, x: place.x, y: place.y, tone: one.tone, bold }];
  });
}

/** An arrow wherever a line leaves the frame. */
export const drawExits = (series: readonly CutSeries[], at: Places): string =>
  series
    .flatMap(({ exits, tone }) => exits.map(({ x, y, up }) => arrow(at.x(x), at.y(y), up, colour[tone])))
    .join("");

export const widestOf = (labels: readonly EndLabel[]) =>
  Math.max(0, ...labels.map(({ text, bold }) => textWidth(text, 12, bold)));

/** Beside the ends of the lines, pushed apart, each joined to its line by a hairline. */
export function drawEndLabels(
  labels: readonly EndLabel[],
  at: Places,
  { gap, top, bottom, left }: { gap: number; top: number; bottom: number; left: number },
): string {
  const heights = placeLabels(
    labels.map(({ y }) => at.y(y)),
    { gap, top, bottom },
  );
  return labels
    .map(({ text, x, y, tone, bold }, index) => {
      const height = heights[index] ?? 0;
      const hair = element("path", {
        d: `M${round(at.x(x) + 6)},${round(at.y(y))}L${round(left - 4)},${round(height)}`,
        stroke: colour[tone],
        "stroke-opacity": ".45",
        fill: "none",
      });
      return hair + label(text, left, height, { fill: textColour(tone), bold });
    })
    .join("");
}

/** The strip of what is as good as the whole model, with its words where lines are far. */
export function drawReference(
  reference: ReferenceStrip,
  at: Places,
  { left, right, short }: { left: number; right: number; short: boolean },
): { strip: string; words: string } {
  const [upper, lower] = [at.y(reference.high), at.y(reference.low)];
  const strip = element("rect", {
    x: left,
    y: upper,
    width: right - left,
    height: lower - upper,
    fill: colour.ink,
    "fill-opacity": ".07",
  });
  const text = fitText(
    short ? (reference.short ?? reference.label) : reference.label,
    right - left - 12,
    11.5,
  );
  const words = label(text, right - 6, (upper + lower) / 2, {
    fill: colour.mute,
    anchor: "end",
    size: 11.5,
    halo: true,
  });
  return { strip, words };
}

/** One tip per place on the x axis: every line's value there, the highest first. */
export function lineTips(
  series: readonly StyledSeries[],
  axes: { x: Axis; y: Axis; ruler: Ruler; whole?: ReferencePoint },
  at: Places,
  bounds: { width: number; height: number; top: number; bottom: number; left: number; right: number },
): string {
  const places = [...new Set(valuesOf(series, "x"))].sort((a, b) => a - b);
  const pixels = places.map((x) => at.x(x));
  return places
    .map((x, index) => {
      const here = series
        .flatMap((one) => one.points.filter((point) => point.x === x).map((point) => ({ one, point })))
        .sort((a, b) => (b.point.y ?? Number.NEGATIVE_INFINITY) - (a.point.y ?? Number.NEGATIVE_INFINITY));
      const lines = here.map(({ one, point }) => tipLine(one, point, axes.y));
      const whole =
        axes.whole === undefined ? "" : `, ${axes.whole.label} ${writeNumber(axes.whole.y, axes.y.format)}`;
      const place = pixels[index] ?? 0;
      const span = [
        index === 0 ? Math.max(bounds.left - 14, place - 14) : (place + (pixels[index - 1] ?? 0)) / 2,
        index === places.length - 1 ? place + 14 : (place + (pixels[index + 1] ?? 0)) / 2,
      ] as const;
      return stripTip(place, span, [`${axes.x.name} ${writeQuantity(x, axes.x)}${whole}`, ...lines], bounds);
    })
    .join("");
}

/** The value first, so that they stand below each other; its interval last. */
function tipLine({ name }: LineSeries, { y, low, high }: LinePoint, { format }: Axis): string {
  if (y === null) return `not measured${SPACE}${name}`;
  const spread =
    low === undefined || high === undefined
      ? ""
      : `${SPACE}[${writeNumber(low, format)}, ${writeNumber(high, format)}]`;
  return `${writeNumber(y, format)}${SPACE}${name}${spread}`;
}
