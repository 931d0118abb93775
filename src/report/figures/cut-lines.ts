/**
 * Lines that leave the frame: where the caller sets the ends of the y axis, one line of huge values need not
 * make all others flat. What lies beyond is cut, and an arrow at the frame's edge says so.
 */
import type { Ruler } from "./axes.ts";
import { element, round } from "./svg.ts";
import type { LinePoint } from "./types.ts";

/** A point of a line within its frame; `cut` where the line crosses the edge. */
export interface FramedPoint extends LinePoint {
  readonly cut?: boolean;
}

/** Where a line, or a point alone, goes beyond the frame. */
export interface Exit {
  readonly x: number;
  /** On the edge. */
  readonly y: number;
  readonly up: boolean;
}

export interface CutLine {
  readonly points: readonly FramedPoint[];
  readonly exits: readonly Exit[];
}

type Edge = Pick<Ruler, "scale" | "domain">;

export function cutLine(points: readonly LinePoint[], x: Pick<Ruler, "scale">, y: Edge): CutLine {
  const [bottom, top] = y.domain;
  const isInside = (point: LinePoint | undefined): point is LinePoint & { y: number } =>
    point !== undefined && point.y !== null && point.y >= bottom && point.y <= top;
  const exits: Exit[] = [];
  const framed = points.flatMap((point, index): FramedPoint[] => {
    if (point.y === null) return [point];
    if (isInside(point)) return [withinFrame(point, y)];
    const up = point.y > top;
    const edge = up ? top : bottom;
    const beyond = { x: point.x, y: point.y };
    const crossings = [points[index - 1], points[index + 1]].map((next): FramedPoint[] =>
      isInside(next) ? [{ x: crossing(next, beyond, edge, x, y), y: edge, cut: true }] : [],
    );
    const [before = [], after = []] = crossings;
    const places = [...before, ...after].map((one) => one.x);
    exits.push(...(places.length === 0 ? [point.x] : places).map((at) => ({ x: at, y: edge, up })));
    return [...before, { x: point.x, y: null }, ...after];
  });
  return { points: framed, exits };
}

function withinFrame(point: LinePoint, { domain: [bottom, top] }: Edge): LinePoint {
  const { low, high, ...rest } = point;
  if (low === undefined || high === undefined) return point;
  return { ...rest, low: Math.max(low, bottom), high: Math.min(high, top) };
}

/** Along the straight line that is drawn between two points. */
function crossing(
  from: { x: number; y: number },
  to: { x: number; y: number },
  edge: number,
  x: Pick<Ruler, "scale">,
  y: Edge,
): number {
  const along = (scale: Ruler["scale"]) => (scale === "log" ? Math.log : (value: number) => value);
  const [mx, my] = [along(x.scale), along(y.scale)];
  const share = (my(edge) - my(from.y)) / (my(to.y) - my(from.y));
  const at = mx(from.x) + share * (mx(to.x) - mx(from.x));
  return x.scale === "log" ? Math.exp(at) : at;
}

/** A small arrow that stands on the edge and points away from the frame. */
export function arrow(x: number, y: number, up: boolean, tone: string): string {
  const [tip, foot] = up ? [y - 3, y + 5] : [y + 3, y - 5];
  const d = `M${round(x)},${round(tip)}L${round(x + 4.5)},${round(foot)}H${round(x - 4.5)}z`;
  return element("path", { d, fill: tone });
}
