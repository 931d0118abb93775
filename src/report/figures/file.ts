/** A figure as a drawing of its own: title, subtitle, legend, pictures and protocols in one SVG. */
import type { Picture } from "./chart.ts";
import { type Drawing, WIDE } from "./draw.ts";
import type { LegendEntry } from "./legend.ts";
import { colour, element, escapeText, label, round } from "./svg.ts";
import { textWidth, wrapText } from "./text-width.ts";
import type { FigureBase } from "./types.ts";

const EDGE = 24;
const GAP = 20;

/** SVG with the page's variables for colours; `style` is its style sheet. */
export interface FileFrame {
  readonly width: number;
  readonly height: number;
  readonly content: string;
}

export function layOut(
  figure: FigureBase,
  drawing: Drawing,
  legend: readonly LegendEntry[],
  protocols: readonly string[],
): FileFrame {
  const placed = placePictures(drawing);
  const width = Math.max(placed.width, 420);
  const parts: string[] = [];
  let y = 0;
  for (const line of wrapText(figure.title, width, 20, true)) {
    parts.push(label(line, 0, y + 13, { size: 20, bold: true }));
    y += 27;
  }
  for (const line of wrapText(figure.subtitle, width, 14)) {
    parts.push(label(line, 0, y + 9, { size: 14, fill: colour.mute }));
    y += 20;
  }
  if (legend.length > 0) {
    const drawn = drawLegend(legend, width, y + 8);
    parts.push(drawn.content);
    y += 8 + drawn.height;
  }
  y += 14;
  parts.push(element("g", { transform: `translate(0,${round(y)})` }, placed.content));
  y += placed.height;
  if (protocols.length > 0) {
    y += 16;
    const words = [
      `${protocols.join("; ")}`,
      `${figure.protocolNote === undefined ? "" : ` (${figure.protocolNote})`}`,
    ].join("");
    for (const line of wrapText(words, width, 11.5)) {
      parts.push(label(line, 0, y + 8, { size: 11.5, fill: colour.mute }));
      y += 17;
    }
  }
  const content = element("g", { transform: `translate(${EDGE},${EDGE})` }, parts.join(""));
  return { width: width + 2 * EDGE, height: Math.ceil(y) + 2 * EDGE, content };
}

export function svgFile(
  { width, height, content }: FileFrame,
  { title, description }: FigureBase,
  style: string,
): string {
  const ground = element("rect", { width, height, fill: colour.bg });
  const head = `<title>${escapeText(title)}</title><desc>${escapeText(description)}</desc>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} `,
    `${round(height)}" width="${round(width)}" height="`,
    `${round(height)}" role="img" font-family="Inter, Arial, sans-serif" font-size="12" fill="`,
    `${colour.ink}">${head}${style === "" ? "" : `<style>${style}</style>`}${ground}${content}`,
    `</svg>\n`,
  ].join("");
}

function placePictures(drawing: Drawing): { width: number; height: number; content: string } {
  if (drawing.layout === "pair") return drawing.wide;
  if (drawing.layout === "html") return drawing.picture;
  const { pictures } = drawing;
  const columns = Math.min(drawing.columns, pictures.length);
  const column = Math.max(
    ...pictures.map(({ width }) => width),
    (WIDE - (columns - 1) * GAP) / drawing.columns,
  );
  let y = 0;
  const rows: string[] = [];
  for (let first = 0; first < pictures.length; first += columns) {
    const row = pictures.slice(first, first + columns);
    rows.push(...row.map((picture, index) => placeOne(picture, index * (column + GAP), y)));
    y += Math.max(...row.map(heightOf)) + GAP;
  }
  return { width: columns * (column + GAP) - GAP, height: y - GAP, content: rows.join("") };
}

const heightOf = ({ height, title }: Picture) => height + (title === undefined ? 0 : 24);

function placeOne({ title, content }: Picture, x: number, y: number): string {
  const head = title === undefined ? "" : label(title, 0, 8, { size: 13.5, bold: true });
  const body = title === undefined ? content : element("g", { transform: "translate(0,24)" }, content);
  return element("g", { transform: `translate(${round(x)},${round(y)})` }, head + body);
}

function drawLegend(legend: readonly LegendEntry[], width: number, top: number) {
  let x = 0;
  let y = top;
  const parts = legend.map((entry) => {
    const before = entry.shape === "ramp" ? textWidth(entry.text, 13) + 8 : 0;
    const sign = entry.shape === "ramp" ? 120 : 18;
    const words = entry.shape === "ramp" ? (entry.to ?? "") : entry.text;
    const long = before + sign + 7 + textWidth(words, 13);
    if (x > 0 && x + long > width) {
      x = 0;
      y += 22;
    }
    const start = entry.shape === "ramp" ? label(entry.text, x, y + 8, { size: 13 }) : "";
    const drawn =
      start + signOf(entry, x + before, y + 8) + label(words, x + before + sign + 7, y + 8, { size: 13 });
    x += long + 20;
    return drawn;
  });
  return { content: parts.join(""), height: y - top + 20 };
}

function signOf({ shape, colour: fill }: LegendEntry, x: number, y: number): string {
  switch (shape) {
    case "line":
      return element("rect", { x, y: y - 1.5, width: 18, height: 3, rx: 1.5, fill });
    case "box":
      return element("rect", { x: x + 3, y: y - 6, width: 12, height: 12, rx: 2, fill });
    case "area":
      return element("rect", { x, y: y - 6, width: 18, height: 12, rx: 2, fill, "fill-opacity": ".3" });
    case "dot":
      return element("circle", { cx: x + 9, cy: y, r: 4, fill });
    case "hollow":
      return element("circle", {
        cx: x + 9,
        cy: y,
        r: 4,
        fill: colour.bg,
        stroke: fill,
        "stroke-width": "1.5",
      });
    case "ring":
      return element("circle", {
        cx: x + 9,
        cy: y,
        r: 4.5,
        fill: colour.bg,
        stroke: fill,
        "stroke-width": "2.2",
      });
    case "tick":
      return element("rect", { x: x + 8, y: y - 7, width: 2, height: 14, fill });
    case "interval":
      return element("rect", { x, y: y - 2.5, width: 18, height: 5, rx: 2.5, fill, "fill-opacity": ".35" });
    case "ramp":
      return Array.from({ length: 24 }, (_, index) =>
        element("rect", {
          x: x + index * 5,
          y: y - 5,
          width: 5.2,
          height: 10,
          fill,
          "fill-opacity": (0.04 + (index / 23) * 0.96).toFixed(2),
        }),
      ).join("");
  }
}
