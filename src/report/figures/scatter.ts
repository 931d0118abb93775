import { rulerOf } from "./axes.ts";
import { chart, type Picture, type Places, type Tools } from "./chart.ts";
import { arrow } from "./cut-lines.ts";
import { toneOf } from "./line-marks.ts";
import { writeQuantity } from "./numbers.ts";
import { colour, element, label, round } from "./svg.ts";
import { textWidth, widthOfNames } from "./text-width.ts";
import { dotTip } from "./tips.ts";
import type { Family, ScatterFigure, ScatterPanel, ScatterPoint } from "./types.ts";

type Placed = ScatterPoint & { readonly x: number; readonly y: number };

/** Quality against each cost: one picture per panel. */
export function drawScatter(tools: Tools, figure: ScatterFigure): Picture[] {
  const size = figure.panels.length >= 3 ? { width: 280, height: 270 } : { width: 420, height: 320 };
  return figure.panels.map((panel) => drawScatterPanel(tools, panel, figure.families, size));
}

/**
 * The points that no other point beats: none is as good in both and better in one. From the best x on; of
 * points that are equal in both, all.
 */
export function paretoFront(points: readonly Placed[], better: ScatterPanel["better"]): Placed[] {
  const cost = (value: number, way: "lower" | "higher") => (way === "lower" ? value : -value);
  const order = [...points].sort(
    (a, b) => cost(a.x, better.x) - cost(b.x, better.x) || cost(a.y, better.y) - cost(b.y, better.y),
  );
  let best: Placed | undefined;
  return order.filter((point) => {
    const equal = best !== undefined && point.x === best.x && point.y === best.y;
    if (best !== undefined && !equal && cost(point.y, better.y) >= cost(best.y, better.y)) return false;
    best = point;
    return true;
  });
}

export function drawScatterPanel(
  tools: Tools,
  panel: ScatterPanel,
  families: readonly Family[],
  size: { width: number; height: number },
): Picture {
  const points = panel.points.filter((point): point is Placed => point.x !== null && point.y !== null);
  const front = paretoFront(points, panel.better);
  const y = rulerOf(
    panel.y,
    points.flatMap((point) => [point.y, point.yLow ?? point.y, point.yHigh ?? point.y]),
    { room: 6 },
  );
  const margins = {
    top: 14,
    right: 18,
    bottom: 26,
    left: widthOfNames(y.ticks),
  };
  const x = rulerOf(
    panel.x,
    points.flatMap((point) => [point.x, point.xLow ?? point.x, point.xHigh ?? point.x]),
    { room: 6, width: size.width - margins.left - margins.right },
  );
  const bounds = { ...size, ...margins };
  const { plot } = tools;
  const tone = (point: Placed) => colour[toneOf(point.family, families)];
  const isInside = ({ y: value }: Placed) => value >= y.domain[0] && value <= y.domain[1];
  const inside = points.filter(isInside);
  const within = (value: number | undefined) => Math.min(Math.max(value ?? 0, y.domain[0]), y.domain[1]);
  const whiskers = [
    plot.ruleY(
      inside.filter(({ xLow, xHigh }) => xLow !== undefined && xHigh !== undefined),
      { y: "y", x1: "xLow", x2: "xHigh", stroke: colour.mute },
    ),
    plot.ruleX(
      inside.filter(({ yLow, yHigh }) => yLow !== undefined && yHigh !== undefined),
      {
        x: "x",
        y1: ({ yLow }: Placed) => within(yLow),
        y2: ({ yHigh }: Placed) => within(yHigh),
        stroke: colour.mute,
      },
    ),
  ];
  const dots = plot.dot(inside, {
    x: "x",
    y: "y",
    r: 4,
    fill: (point: Placed) => (front.includes(point) ? tone(point) : colour.bg),
    stroke: tone,
    strokeWidth: 1.5,
  } as object);
  // What lies beyond the frame is an arrow at its edge.
  const exits = (at: Places) =>
    points
      .filter((point) => !isInside(point))
      .map((point) => arrow(at.x(point.x), at.y(within(point.y)), point.y > y.domain[1], tone(point)));
  let tips = "";
  const { content } = chart(tools, { ...bounds, x, y }, [...whiskers, dots], {
    under: (at) => stepLine(front.filter(isInside), at),
    over: (at) => {
      tips = points
        .map((point) => dotTip(at.x(point.x), at.y(within(point.y)), linesOf(point, panel), size))
        .join("");
      return exits(at).join("") + labelsOf(front.filter(isInside), inside, at, bounds);
    },
  });
  return { ...size, title: panel.title, content, tips };
}

/** What can be had: as good as a point of the front until the next one begins. */
function stepLine(front: readonly Placed[], at: Places): string {
  const path = front.map(({ x, y }, index) =>
    index === 0 ? `M${round(at.x(x))},${round(at.y(y))}` : `H${round(at.x(x))}V${round(at.y(y))}`,
  );
  return element("path", {
    d: path.join(""),
    fill: "none",
    stroke: colour.green,
    "stroke-width": 6,
    "stroke-opacity": ".25",
    "stroke-linejoin": "round",
  });
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A label goes where it hides nothing: above, below, right or left of its mark; nowhere if all are taken. */
function labelsOf(
  front: readonly Placed[],
  points: readonly Placed[],
  at: Places,
  { width, height, bottom, left }: { width: number; height: number; bottom: number; left: number },
): string {
  const taken: Box[] = points.map(({ x, y }) => ({ x: at.x(x) - 6, y: at.y(y) - 6, width: 12, height: 12 }));
  return front
    .map((point) => {
      if (point.label === undefined) return "";
      const text = point.label;
      const wide = textWidth(text, 11);
      const [x, y] = [at.x(point.x), at.y(point.y)];
      const places: Box[] = [
        { x: x - wide / 2, y: y - 21 },
        { x: x + 8, y: y - 7 },
        { x: x - wide / 2, y: y + 7 },
        { x: x - wide - 8, y: y - 7 },
      ].map((place) => ({ ...place, width: wide, height: 14 }));
      const free = places.find(
        (box) =>
          box.x >= left - 8 &&
          box.x + wide <= width &&
          box.y >= 0 &&
          box.y + 14 <= height - bottom + 4 &&
          !taken.some((other) => overlap(box, other)),
      );
      if (free === undefined) return "";
      taken.push(free);
      return label(text, free.x, free.y + 7, { size: 11, halo: true });
    })
    .join("");
}

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

function linesOf(point: Placed, { x, y }: ScatterPanel): string[] {
  return [point.name, `${y.name} ${writeQuantity(point.y, y)}`, `${x.name} ${writeQuantity(point.x, x)}`];
}
