/**
 * One chart: Observable Plot draws the axes and the marks into a document of linkedom, and what it lacks (end
 * labels pushed apart, tips without a script) is put on top through the same scales.
 */
import type * as PlotModule from "@observablehq/plot";
import { DepthkitError } from "../../errors.ts";
import type { Ruler } from "./axes.ts";
import { colour, roundGeometry } from "./svg.ts";

/** Loaded when a report is made, not before: they are heavy. */
export interface Tools {
  readonly plot: typeof PlotModule;
  readonly document: unknown;
}

export async function loadTools(): Promise<Tools> {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  return { plot, document: parseHTML("<html><body></body></html>").document };
}

/** A drawing without its frame, so that it can stand in the page and in a file. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Over it, where several stand side by side. */
  readonly title?: string;
  /** The SVG inside the frame. */
  readonly content: string;
  /** Tips for the page, which a file has no use for. */
  readonly tips: string;
}

/** Entries side by side, in place of numbers. */
export interface Bands {
  readonly entries: readonly string[];
  /** Which of them are named. */
  readonly named: readonly string[];
  readonly padding?: number;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
  readonly x: Ruler | Bands;
  readonly y: Ruler | Bands;
  /** Lines at the ticks: of `y` by default. */
  readonly grid?: "x" | "y" | "none";
  /** A second line beneath the ticks of x. */
  readonly below?: boolean;
}

/** From data to pixels; the middle of a band. */
export interface Places {
  readonly x: (value: number | string) => number;
  readonly y: (value: number | string) => number;
  readonly bandX: number;
  readonly bandY: number;
}

interface PlotScale {
  readonly bandwidth?: number;
  apply(value: number | string): number;
}

/** What Plot gives back, without the types of the DOM. */
interface Plotted {
  readonly outerHTML: string;
  scale(name: "x" | "y"): PlotScale | undefined;
}

const isBands = (along: Ruler | Bands): along is Bands => "entries" in along;

/** @param over what stands on top of the marks, `under` what lies beneath them */
export function chart(
  { plot, document }: Tools,
  frame: Frame,
  marks: readonly PlotModule.Markish[],
  layers: { over?: (at: Places) => string; under?: (at: Places) => string } = {},
): { content: string; at: Places } {
  const { width, height } = frame;
  const drawn = plot.plot({
    document,
    className: "pl",
    width,
    height,
    marginTop: frame.top,
    marginRight: frame.right,
    marginBottom: frame.bottom,
    marginLeft: frame.left,
    x: scaleOf(frame.x),
    y: scaleOf(frame.y),
    marks: [...axes(plot, frame), ...marks],
  } as PlotModule.PlotOptions) as unknown as Plotted;
  const at = placesOf(drawn);
  const under = layers.under?.(at) ?? "";
  const content = `${under}${inside(drawn.outerHTML)}${layers.over?.(at) ?? ""}`;
  if (/NaN|undefined|Infinity/.test(content.replace(/>[^<]*</g, "><"))) {
    throw new DepthkitError(
      "INTERNAL",
      "Drawing a figure of a report placed something nowhere: a fault of depthkit.",
    );
  }
  return { content, at };
}

function scaleOf(along: Ruler | Bands): object {
  if (isBands(along))
    return { type: "band", domain: along.entries, padding: along.padding ?? 0.06, label: null };
  return { type: along.scale, domain: along.domain, label: null };
}

function axes(plot: typeof PlotModule, { x, y, grid = "y", below = false }: Frame): PlotModule.Markish[] {
  const line = { stroke: colour.rule, strokeOpacity: 1 };
  const common = { tickSize: 0, label: null, fontSize: 12, lineHeight: 1.25, fill: colour.mute };
  const lines =
    grid === "y"
      ? [plot.gridY(placesNamed(y), line)]
      : grid === "x"
        ? [plot.gridX(placesNamed(x), line)]
        : [];
  return [
    ...lines,
    plot.axisX(placesNamed(x), { ...common, text: textOf(x, below) } as PlotModule.AxisXOptions),
    plot.axisY(placesNamed(y), { ...common, text: textOf(y, false) } as PlotModule.AxisYOptions),
  ];
}

const placesNamed = (along: Ruler | Bands): (number | string)[] =>
  isBands(along) ? [...along.named] : along.ticks.map(({ at }) => at);

/** By place: Plot numbers only some of the places of a log axis. */
function textOf(along: Ruler | Bands, below: boolean): (value: unknown) => string {
  if (isBands(along)) return String;
  const texts = new Map<unknown, string>(
    along.ticks.map((tick) => [
      tick.at,
      below && tick.below !== "" ? `${tick.text}\n${tick.below}` : tick.text,
    ]),
  );
  return (value) => texts.get(value) ?? "";
}

function placesOf(drawn: Plotted): Places {
  const [x, y] = [drawn.scale("x"), drawn.scale("y")];
  const place = (scale: PlotScale | undefined) => (value: number | string) =>
    (scale?.apply(value) ?? 0) + (scale?.bandwidth ?? 0) / 2;
  return { x: place(x), y: place(y), bandX: x?.bandwidth ?? 0, bandY: y?.bandwidth ?? 0 };
}

/** Plot's drawing without its frame, its style sheet and its notes for screen readers. */
function inside(svg: string): string {
  const content = svg
    .replace(/^<svg[^>]*>/, "")
    .replace(/<\/svg>\s*$/, "")
    .replace(/<style>[\s\S]*?<\/style>/g, "")
    .replace(/ (?:aria-[a-z]+|class)="[^"]*"/g, "")
    .replaceAll("currentColor", colour.ink);
  return `<g text-anchor="middle" fill="${colour.ink}">${roundGeometry(content)}</g>`;
}
