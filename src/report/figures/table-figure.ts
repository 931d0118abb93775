/** A table as a figure: in the page a table with bars of the style sheet, in a file the same drawn. */

import type { Picture } from "./chart.ts";
import { writeNumber } from "./numbers.ts";
import { colour, element, escapeText, label, textColour } from "./svg.ts";
import { fitText, textWidth } from "./text-width.ts";
import type { TableColumn, TableFigure } from "./types.ts";

const BAR = 130;
/** Of the page; how wide a table can be before its names are cut, and the least that is left of them. */
const PAGE = 860;
const WIDEST = 1400;
const SHORTEST = 200;

type Cell = string | number | null;

export function tableHtml({ columns, rows }: TableFigure): string {
  const limits = limitsOf({ columns, rows });
  const head = columns.map(({ title, detail, bar }, index) =>
    [
      `<th scope="col"${index === 0 ? "" : sideOf(bar, columnIsText(rows, index))}>`,
      `${escapeText(title)}${!detail ? "" : `<br><small>${escapeText(detail)}</small>`}</th>`,
    ].join(""),
  );
  const body = rows.map((row) => {
    const cells = row.map((value, index) => {
      const column = columns[index];
      const text = escapeText(write(value, column));
      if (index === 0) return `<th scope="row">${text}</th>`;
      const bar =
        column?.bar === undefined || typeof value !== "number"
          ? ""
          : barHtml(value, limits[index] ?? 1, column.bar.tone);
      return `<td${sideOf(column?.bar, columnIsText(rows, index))}>${bar}${text}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return [
    `<div class="scroll wide-table" tabindex="0" role="region" aria-label="Table">`,
    `<table class="figures"><thead><tr>${head.join("")}</tr></thead><tbody>${body.join("")}`,
    `</tbody></table></div>`,
  ].join("");
}

const sideOf = (bar: TableColumn["bar"], isText: boolean) =>
  bar !== undefined || isText ? ' class="s"' : "";

const columnIsText = (rows: TableFigure["rows"], index: number) =>
  rows.some((row) => typeof row[index] === "string");

function barHtml(value: number, limit: number, tone: keyof typeof colour): string {
  const share = shareOf(value, limit);
  return [
    `<span class="bar${value < 0 ? " below" : ""}" style="--v:${share.toFixed(3)};--c:`,
    `${colour[tone]}"></span>`,
  ].join("");
}

const shareOf = (value: number, limit: number) => (limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0);

function limitsOf({ columns, rows }: Pick<TableFigure, "columns" | "rows">): number[] {
  return columns.map(({ bar }, index) => {
    const sizes = rows
      .map((row) => row[index])
      .flatMap((value) => (typeof value === "number" ? [Math.abs(value)] : []));
    return bar?.limit ?? Math.max(0, ...sizes);
  });
}

function write(value: Cell, column: TableColumn | undefined): string {
  if (value === null) return "";
  return typeof value === "number" ? writeNumber(value, column?.format) : value;
}

/**
 * As wide as its cells, and at least as the page. Names are cut where it would be too wide; nothing else is.
 */
export function drawTable({ columns, rows }: TableFigure): Picture {
  const limits = limitsOf({ columns, rows });
  const wanted = columns.map(({ title, detail, bar }, index) => {
    const texts = rows.map((row) => textWidth(write(row[index] ?? null, columns[index]), 12.5, index === 0));
    return (
      Math.max(...texts, textWidth(title, 12.5, true), textWidth(detail ?? "", 11)) +
      (bar ? BAR + 10 : 0) +
      24
    );
  });
  const total = sumOf(wanted);
  const [names = 0, ...others] = wanted;
  const spare = Math.max(0, PAGE - total) / wanted.length;
  const kept = Math.max(Math.min(names, SHORTEST), names - Math.max(0, total - WIDEST));
  const widths = [kept, ...others].map((one) => one + spare);
  const width = sumOf(widths);
  const lefts = widths.map((_, index) => widths.slice(0, index).reduce((sum, one) => sum + one, 0));
  const top = columns.some(({ detail }) => Boolean(detail)) ? 40 : 26;
  const place = (index: number) => {
    const column = columns[index];
    const start = index === 0 || column?.bar !== undefined || columnIsText(rows, index);
    const left = (lefts[index] ?? 0) + (index === 0 ? 0 : 24);
    return {
      start,
      x: start ? left : (lefts[index] ?? 0) + (widths[index] ?? 0),
      room: (widths[index] ?? 0) - (index === 0 ? 0 : 20),
    };
  };
  const head = columns.map(({ title, detail }, index) => {
    const { start, x, room } = place(index);
    const anchor = start ? "start" : "end";
    const words = label(fitText(title, room, 12.5, true), x, 10, {
      fill: colour.mute,
      anchor,
      size: 12.5,
      bold: true,
    });
    return (
      words +
      (detail === undefined
        ? ""
        : label(fitText(detail, room, 11), x, 25, { fill: colour.mute, anchor, size: 11 }))
    );
  });
  const body = rows.map((row, line) => {
    const y = top + line * 25 + 12;
    const rule = element("line", { x1: 0, x2: width, y1: y - 12, y2: y - 12, stroke: colour.rule });
    const cells = row.map((value, index) => {
      const { start, x, room } = place(index);
      const bar = columns[index]?.bar;
      if (bar === undefined || typeof value !== "number") {
        return label(fitText(write(value, columns[index]), room, 12.5, index === 0), x, y, {
          anchor: start ? "start" : "end",
          size: 12.5,
          bold: index === 0,
        });
      }
      const long = shareOf(value, limits[index] ?? 1) * Math.min(BAR, room / 2) + 1;
      const below = value < 0;
      const box = element("rect", {
        x,
        y: y - 5.5,
        width: long,
        height: 11,
        rx: 2,
        fill: below ? "none" : colour[bar.tone],
        stroke: below ? textColour("orange") : undefined,
        "stroke-width": below ? "1.5" : undefined,
      });
      return box + label(write(value, columns[index]), x + long + 8, y, { size: 12.5 });
    });
    return rule + cells.join("");
  });
  return { width, height: top + rows.length * 25 + 4, content: [...head, ...body].join(""), tips: "" };
}

const sumOf = (widths: readonly number[]) => widths.reduce((sum, one) => sum + one, 0);
