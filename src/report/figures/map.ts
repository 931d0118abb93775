import { chart, type Picture, type Places, type Tools } from "./chart.ts";
import { writeNumber, writeQuantity } from "./numbers.ts";
import { colour, element, label, round } from "./svg.ts";
import { textWidth } from "./text-width.ts";
import { cellTip } from "./tips.ts";
import type { MapAxis, MapFigure, OneHue, TwoHues } from "./types.ts";

interface Cell {
  readonly x: number;
  readonly y: number;
  readonly value: number;
}

/** A map: one hue whose opacity is the value, or two hues with the numbers in the cells. */
export function drawMap(tools: Tools, figure: MapFigure, width: number): Picture {
  const narrow = width < 600;
  const { entries: down } = figure.y;
  const left = 12 + Math.max(...down.map((entry) => textWidth(entry, 12)));
  const column = (width - left - 4) / Math.max(1, figure.x.entries.length);
  const row =
    figure.shading.kind === "signed" ? (narrow ? 30 : 36) : Math.min(30, Math.max(narrow ? 16 : 20, column));
  const height = Math.round(row * down.length + 30);
  const cells = figure.cells.flatMap((values, y) =>
    values.flatMap((value, x) => (value === null ? [] : [{ x, y, value }])),
  );
  const frame = {
    width,
    height,
    top: 2,
    right: 4,
    bottom: 28,
    left,
    grid: "none",
    x: { entries: keys(figure.x), named: [], padding: 0.06 },
    y: { entries: keys(figure.y), named: [], padding: 0.06 },
  } as const;
  let tips = "";
  const { content } = chart(tools, frame, [], {
    over: (at) => {
      const size = { width: at.bandX, height: at.bandY };
      tips = narrow ? "" : cells.map((cell) => tipOf(cell, figure, at, size, { width, height })).join("");
      return (
        namesOf(figure, at, { left, width, height }) +
        (figure.shading.kind === "one"
          ? shadeOne(cells, figure.shading, at)
          : shadeTwo(cells, figure.shading, figure, at, narrow)) +
        rings(figure, at)
      );
    },
  });
  return { width, height, content, tips };
}

/** By place, since two entries may have one name. */
const keys = ({ entries }: MapAxis) => entries.map((_, index) => String(index));

/** As many names as there is room for, at even steps. */
function namesOf(
  figure: MapFigure,
  at: Places,
  { left, width, height }: { left: number; width: number; height: number },
): string {
  const widest = Math.max(...figure.x.entries.map((entry) => textWidth(entry, 12))) + 6;
  const every = stepOf(widest, (width - left) / figure.x.entries.length);
  const everyRow = stepOf(14, at.bandY);
  const across = figure.x.entries.map((entry, index) =>
    index % every === 0
      ? label(entry, at.x(String(index)), height - 12, { fill: colour.mute, anchor: "middle" })
      : "",
  );
  const down = figure.y.entries.map((entry, index) =>
    index % everyRow === 0
      ? label(entry, left - 8, at.y(String(index)), { fill: colour.mute, anchor: "end" })
      : "",
  );
  return [...across, ...down].join("");
}

const stepOf = (needed: number, room: number) =>
  [1, 2, 5, 10, 20, 50].find((step) => step * room >= needed) ?? 100;

/** How strong the colour of a value is, from 0 to 1. */
export function strengthOf(value: number, { weakest, strongest, scale }: OneHue): number {
  const measure = scale === "log" ? Math.log : (one: number) => one;
  const share = (measure(value) - measure(weakest)) / (measure(strongest) - measure(weakest));
  return Math.min(1, Math.max(0, share));
}

/** One path per shade: a map has hundreds of cells and two dozen shades. */
function shadeOne(cells: readonly Cell[], shading: OneHue, at: Places): string {
  const shades = new Map<string, string[]>();
  for (const cell of cells) {
    const shade = Math.max(0.04, Math.round(strengthOf(cell.value, shading) * 24) / 24).toFixed(2);
    const path = [
      `M${round(at.x(String(cell.x)) - at.bandX / 2)},`,
      `${round(at.y(String(cell.y)) - at.bandY / 2)}h${round(at.bandX)}v${round(at.bandY)}h-`,
      `${round(at.bandX)}z`,
    ].join("");
    shades.set(shade, [...(shades.get(shade) ?? []), path]);
  }
  return [...shades]
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([shade, paths]) =>
      element("path", { fill: colour[shading.tone], "fill-opacity": shade, d: paths.join("") }),
    )
    .join("");
}

function shadeTwo(
  cells: readonly Cell[],
  shading: TwoHues,
  { value }: MapFigure,
  at: Places,
  narrow: boolean,
): string {
  const size = narrow ? 9.5 : 12;
  return cells
    .map((cell) => {
      const strength = Math.min(1, Math.abs(cell.value) / shading.limit) ** 0.7;
      const [x, y] = [at.x(String(cell.x)), at.y(String(cell.y))];
      const box = element("rect", {
        x: x - at.bandX / 2,
        y: y - at.bandY / 2,
        width: at.bandX,
        height: at.bandY,
        rx: 3,
        fill: colour[(cell.value < 0 ? shading.negative : shading.positive).tone],
        "fill-opacity": strength.toFixed(2),
      });
      const fill = strength > 0.75 ? colour.on : colour.ink;
      return (
        box +
        label(shortNumber(cell.value, value, at.bandX - 2, size), x, y, { fill, anchor: "middle", size })
      );
    })
    .join("");
}

/** With as many digits as the cell has room for; all of them stand in the tip and the table. */
function shortNumber(value: number, { format }: MapFigure["value"], room: number, size: number): string {
  const full = writeNumber(value, format);
  if (textWidth(full, size) <= room) return full;
  const shorter = [1, 0].map((digits) => writeNumber(value, { ...format, digits }));
  return shorter.find((text) => textWidth(text, size) <= room) ?? "";
}

function rings({ marked }: MapFigure, at: Places): string {
  const r = Math.min(5, at.bandX / 3, at.bandY / 3);
  return (marked?.cells ?? [])
    .map(([row, column]) =>
      element("circle", {
        cx: at.x(String(column)),
        cy: at.y(String(row)),
        r,
        fill: colour.bg,
        stroke: colour.orange,
        "stroke-width": r < 4 ? "1.6" : "2.2",
      }),
    )
    .join("");
}

function tipOf(
  { x, y, value }: Cell,
  figure: MapFigure,
  at: Places,
  size: { width: number; height: number },
  bounds: { width: number; height: number },
): string {
  const line = `${figure.x.entries[x]}, ${figure.y.entries[y]}: ${writeQuantity(value, figure.value)}`;
  return cellTip(at.x(String(x)), at.y(String(y)), size, line, bounds);
}
