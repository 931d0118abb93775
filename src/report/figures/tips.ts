/** Values on hover by the style sheet alone: a group of a shape that feels the pointer and a hidden tip. */
import { element, escapeText, round } from "./svg.ts";
import { fitText, textWidth } from "./text-width.ts";

const SIZE = 11.5;
const LINE = 15;

interface Bounds {
  readonly width: number;
  readonly height: number;
}

/** A column over the whole height; its tip stands beside it. */
export function stripTip(
  x: number,
  span: readonly [left: number, right: number],
  lines: readonly string[],
  { width, height, bottom, top }: Bounds & { top: number; bottom: number },
): string {
  const shown = shorten(lines, width, height - 16);
  const box = boxOf(shown);
  const left = x + 10 + box.width < width ? x + 10 : Math.max(2, x - 10 - box.width);
  const hit = element("rect", {
    x: span[0],
    y: top,
    width: span[1] - span[0],
    height: height - bottom - top,
  });
  const hair = element("path", { d: `M${round(x)},${top}V${height - bottom}` });
  return group(hit + hair, shown, Math.min(left, width - box.width - 2), 6);
}

/** A circle around a mark; its tip stands above, or below where there is no room. */
export function dotTip(x: number, y: number, lines: readonly string[], { width, height }: Bounds): string {
  const shown = shorten(lines, width, height);
  const box = boxOf(shown);
  const above = y - box.height - 12;
  const left = Math.min(Math.max(x - box.width / 2, 2), width - box.width - 2);
  return group(element("circle", { cx: x, cy: y, r: 9 }), shown, left, above < 0 ? y + 13 : above);
}

/** A cell of a map, which shows one line over itself. */
export function cellTip(x: number, y: number, size: Bounds, line: string, { width }: Bounds): string {
  const half = textWidth(line, SIZE, true) / 2 + 5;
  const middle = Math.min(Math.max(x, half), width - half);
  const hit = element("rect", {
    x: x - size.width / 2,
    y: y - size.height / 2,
    width: size.width,
    height: size.height,
  });
  return [
    `<g class="h">${hit}<text class="t" x="${round(middle)}" y="${round(y + 4)}">`,
    `${escapeText(line)}</text></g>`,
  ].join("");
}

function group(hit: string, lines: readonly string[], left: number, top: number): string {
  const { width, height } = boxOf(lines);
  const texts = lines
    .map((line, index) => `<text y="${17 + index * LINE}">${escapeText(line)}</text>`)
    .join("");
  return [
    `<g class="h">${hit}<g class="t" transform="translate(${Math.round(left)},`,
    `${Math.round(top)})"><rect width="${Math.round(width)}" height="${height}"/>${texts}</g></g>`,
  ].join("");
}

function shorten(lines: readonly string[], width: number, height: number): string[] {
  const room = Math.max(2, Math.floor((height - 10) / LINE));
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `and ${lines.length - room + 1} more`];
  return shown.map((line) => fitText(line, width - 26, SIZE));
}

const boxOf = (lines: readonly string[]) => ({
  width: Math.max(...lines.map((line) => textWidth(line, SIZE))) + 20,
  height: lines.length * LINE + 9,
});
