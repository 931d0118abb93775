/** Upright bars by depth. A bar that its axis has no room for is cut, with a notch where it goes on. */
import type * as PlotModule from "@observablehq/plot";
import { type Ruler, rulerOf } from "./axes.ts";
import { chart, type Picture, type Places, type Tools } from "./chart.ts";
import { toneOf } from "./line-marks.ts";
import { writeNumber, writeQuantity } from "./numbers.ts";
import { colour, element, round } from "./svg.ts";
import { widthOfNames } from "./text-width.ts";
import { stripTip } from "./tips.ts";
import type { BarsPanel, DepthBar, Family } from "./types.ts";

/** A bar with its sides, and with its end within the frame. */
interface Placed {
  readonly bar: DepthBar;
  readonly x1: number;
  readonly x2: number;
  readonly y: number;
  readonly cut: boolean;
}

export function drawBars(
  tools: Tools,
  panel: BarsPanel,
  families: readonly Family[],
  size: { width: number; height: number },
): Picture {
  const places = [...new Set(panel.bars.map(({ x }) => x))].sort((a, b) => a - b);
  const values = panel.bars.flatMap(({ y, low, high }) => [y, low, high].flatMap((value) => value ?? []));
  const y = rulerOf(panel.y, values, { fromZero: true, room: size.height > 200 ? 7 : 5 });
  const margins = { top: 8, bottom: 26, left: widthOfNames(y.ticks), right: 10 };
  const bounds = { ...size, ...margins };
  const x = depthRuler(panel, places, size.width - margins.left - margins.right);
  const floor = y.scale === "log" ? y.domain[0] : within(0, y.domain);
  const placed = placeBars(panel.bars, y);
  let tips = "";
  const { content } = chart(tools, { ...bounds, x, y }, marksOf(tools, placed, floor, y, families), {
    over: (at) => {
      tips = places.map((place) => tipAt(place, panel, at, bounds)).join("");
      return placed
        .filter(({ cut }) => cut)
        .map((one) => notch(one, at))
        .join("");
    },
  });
  return { ...size, title: panel.title, content, tips };
}

/** Half a bar beyond the first and the last; between two blocks there is none to name. */
function depthRuler({ x }: BarsPanel, places: readonly number[], width: number): Ruler {
  const domain = [(places[0] ?? 0) - 0.6, (places.at(-1) ?? 0) + 0.6] as const;
  const ruler = rulerOf({ domain, ...x }, places, { room: 7, width });
  if (x.ticks !== undefined || ruler.ticks.every(({ at }) => Number.isInteger(at))) return ruler;
  return rulerOf({ domain, ticks: places, ...x }, places, { width });
}

const within = (value: number, [low, high]: readonly [number, number]) =>
  Math.min(Math.max(value, low), high);

/** Families side by side at each depth. */
function placeBars(bars: readonly DepthBar[], { domain }: Ruler): Placed[] {
  const names = [...new Set(bars.map(({ family }) => family))];
  const each = 0.8 / Math.max(1, names.length);
  return bars.flatMap((bar) => {
    if (bar.y === null) return [];
    const x1 = bar.x - 0.4 + names.indexOf(bar.family) * each;
    const y = within(bar.y, domain);
    return [{ bar, x1, x2: x1 + each, y, cut: y !== bar.y }];
  });
}

function marksOf(
  { plot }: Tools,
  placed: readonly Placed[],
  floor: number,
  { domain }: Ruler,
  families: readonly Family[],
): PlotModule.Markish[] {
  const anyMarked = placed.some(({ bar }) => bar.marked);
  const sides = { x1: "x1", x2: "x2", y1: floor, y2: "y" };
  // Of an interval beyond the frame nothing is seen.
  const spread = placed.filter(
    ({ bar: { low, high } }) =>
      low !== undefined && high !== undefined && low < domain[1] && high > domain[0],
  );
  return [
    // Pale bars would let the lines of the grid through.
    plot.rectY(placed, { ...sides, fill: colour.bg }),
    plot.rectY(placed, {
      ...sides,
      fill: ({ bar }: Placed) => colour[toneOf(bar.family, families)],
      fillOpacity: ({ bar }: Placed) => (anyMarked && !bar.marked ? 0.4 : 1),
    }),
    plot.ruleX(spread, {
      x: ({ x1, x2 }: Placed) => (x1 + x2) / 2,
      y1: ({ bar }: Placed) => within(bar.low ?? 0, domain),
      y2: ({ bar }: Placed) => within(bar.high ?? 0, domain),
      stroke: colour.ink,
    }),
    ...(floor === 0 ? [plot.ruleY([0], { stroke: colour.mute })] : []),
  ];
}

/** A slanted gap near the end of a bar that goes on. */
function notch({ bar, x1, x2, y }: Placed, at: Places): string {
  const inwards = (bar.y ?? 0) > y ? 1 : -1;
  const [left, right, end] = [at.x(x1) - 1, at.x(x2) + 1, at.y(y) + inwards * 7];
  const d = `M${round(left)},${round(end + 2)}L${round(right)},${round(end - 2)}`;
  return element("path", { d, stroke: colour.bg, "stroke-width": 2.5, fill: "none" });
}

function tipAt(
  place: number,
  panel: BarsPanel,
  at: Places,
  bounds: { width: number; height: number; top: number; bottom: number },
): string {
  const half = Math.abs(at.x(1) - at.x(0)) / 2;
  const words = panel.bars
    .filter((bar) => bar.x === place)
    .map(({ family, y: value, low, high }) => {
      if (value === null) return `${family}: not measured`;
      const { format } = panel.y;
      const spread =
        low === undefined || high === undefined
          ? ""
          : ` [${writeNumber(low, format)}, ${writeNumber(high, format)}]`;
      return `${family}: ${writeQuantity(value, panel.y)}${spread}`;
    });
  const head = `${panel.x.name} ${writeQuantity(place, panel.x)}`;
  return stripTip(at.x(place), [at.x(place) - half, at.x(place) + half], [head, ...words], bounds);
}
