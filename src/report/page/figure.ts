/** A figure in the page: claim, quantity, legend, drawing, caption, protocols, data. */
import type { Picture } from "../figures/chart.ts";
import type { Drawing } from "../figures/draw.ts";
import type { LegendEntry } from "../figures/legend.ts";
import { escapeText, round } from "../figures/svg.ts";
import type { DataRows, FigureBase } from "../figures/types.ts";
import { anchors, type Context } from "./context.ts";
import { dataTable } from "./data-table.ts";
import { chip, prose } from "./prose.ts";

export interface DrawnFigure {
  readonly figure: FigureBase;
  readonly drawing: Drawing;
  readonly legend: readonly LegendEntry[];
  readonly data: DataRows;
}

export function figureHtml({ figure, drawing, legend, data }: DrawnFigure, context: Context): string {
  const anchor = anchors.figure(figure.id);
  const number = context.figureNumbers.get(figure.id) ?? "";
  const key = legend.length === 0 ? "" : `<p class="legend">${legend.map(legendEntry).join("")}</p>`;
  const note = figure.protocolNote === undefined ? "" : ` ${escapeText(figure.protocolNote)}`;
  const protocols =
    figure.protocols.length === 0 && note === ""
      ? ""
      : `<span class="proto">${figure.protocols.map(chip).join(" ")}${note}</span>`;
  const head = [
    `<div class="head"><h3 id="${anchor}-t">${escapeText(figure.title)}</h3>`,
    `<p class="sub">${escapeText(figure.subtitle)}</p>${key}</div>`,
  ].join("");
  return `<figure id="${anchor}" aria-labelledby="${anchor}-t">${head}
${drawingHtml(drawing, figure)}
<figcaption><b>Figure ${number}.</b> ${prose(figure.caption, context)}${protocols}</figcaption>
${dataTable(figure.id, data)}</figure>`;
}

function drawingHtml(drawing: Drawing, { description }: FigureBase): string {
  switch (drawing.layout) {
    case "pair":
      return [
        `<div class="wide">${svg(drawing.wide, description)}</div><div class="narrow">`,
        `${svg(drawing.narrow, description)}</div>`,
      ].join("");
    case "grid": {
      const cells = drawing.pictures.map((picture) => {
        const title = picture.title === undefined ? "" : `<h4>${escapeText(picture.title)}</h4>`;
        return [
          `<div>${title}`,
          `${svg(picture, picture.title === undefined ? description : `${picture.title}: ${description}`)}`,
          `</div>`,
        ].join("");
      });
      return `<div class="grid grid${drawing.columns}">${cells.join("")}</div>`;
    }
    case "html":
      return `<p class="unseen">${escapeText(description)}</p>${drawing.html}`;
  }
}

const svg = ({ width, height, content, tips }: Picture, description: string) =>
  [
    `<svg class="pl" viewBox="0 0 ${round(width)} ${round(height)}" width="`,
    `${round(width)}" height="${round(height)}" role="img" aria-label="`,
    `${escapeText(description)}">${content}${tips}</svg>`,
  ].join("");

function legendEntry({ shape, colour, text, to }: LegendEntry): string {
  const sign = `<i class="${shape}" style="--c:${colour}"></i>`;
  const words =
    to === undefined ? `${sign}${escapeText(text)}` : `${escapeText(text)}${sign}${escapeText(to)}`;
  return `<span class="key">${words}</span>`;
}
