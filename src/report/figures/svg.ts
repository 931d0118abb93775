/** Pieces of SVG as text. Every word from outside is escaped here, and every number rounded here. */
import type { Tone } from "./types.ts";

/** A colour of the page by its role; `colour.bg` and the others are roles of the page itself. */
export const colour = {
  ink: "var(--ink)",
  blue: "var(--blue)",
  orange: "var(--orange)",
  green: "var(--green)",
  violet: "var(--violet)",
  grey: "var(--grey)",
  mute: "var(--mute)",
  rule: "var(--rule)",
  bg: "var(--bg)",
  on: "var(--on)",
} as const;

/** Grey lines are pale; words in the same colour would be hard to read. */
export const textColour = (tone: Tone) => (tone === "grey" ? colour.mute : colour[tone]);

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** For text and for attributes in double quotes. No reader opens a file with what XML does not know. */
export function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element. `content` is SVG or HTML already. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${typeof value === "number" ? round(value) : escapeText(value)}"`],
  );
  return content === "" ? `<${name}${given.join("")}/>` : `<${name}${given.join("")}>${content}</${name}>`;
}

const HALO = { stroke: colour.bg, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke" };

/** Text at a place, on its middle line. */
export function label(
  text: string,
  x: number,
  y: number,
  options: {
    fill?: string;
    anchor?: "start" | "middle" | "end";
    size?: number;
    bold?: boolean;
    /** Keeps lines beneath away from the letters. */
    halo?: boolean;
  } = {},
): string {
  const { fill = colour.ink, anchor = "start", size, bold = false } = options;
  return element(
    "text",
    {
      x,
      y,
      dy: ".34em",
      fill,
      "text-anchor": anchor,
      "font-size": size,
      "font-weight": bold ? 650 : undefined,
      ...(options.halo === true ? HALO : {}),
    },
    escapeText(text),
  );
}

/** As many digits as can be seen. */
export function round(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 1 ? 2 : 1)) || 0);
}

const GEOMETRY = /( (?:d|x|y|x1|x2|y1|y2|cx|cy|r|rx|dx|width|height|transform|points)=")([^"]*)"/g;

/** Numbers of a drawing, in the attributes that place things and nowhere else: a tick of 0.001 stays. */
export function roundGeometry(svg: string): string {
  return svg.replace(
    GEOMETRY,
    (_, front: string, value: string) =>
      `${front}${value.replace(/-?\d+\.\d{2,}(?:e-?\d+)?/g, (number) => round(Number(number)))}"`,
  );
}
