import { anyOf, type Checks, checkOptions } from "../options.ts";
import { checkReport } from "./check/check.ts";
import type { ReportDocument } from "./document.ts";
import { loadTools } from "./figures/chart.ts";
import { drawFigure } from "./figures/draw.ts";
import { layOut, svgFile } from "./figures/file.ts";
import { legendOf } from "./figures/legend.ts";
import { csvOf, rowsOf } from "./figures/rows.ts";
import type { Figure } from "./figures/types.ts";
import { fontFaces } from "./fonts.ts";
import type { DrawnFigure } from "./page/figure.ts";
import { pageHtml } from "./page/page.ts";
import { drawPngs } from "./png.ts";
import { resolveTheme, type Theme } from "./themes.ts";

/** The bytes of each file by its path below the report's folder: `report.html`, `figures/removal.svg`. */
export type ReportFiles = ReadonlyMap<string, Uint8Array>;

/** How the files of figures look. The page follows the reader's own setting. */
export interface ReportOptions {
  /** Of the files of figures. Default `light`. */
  theme?: Theme;
}

/**
 * A report as files: the page, which needs nothing beside it, and each figure as SVG, PNG and CSV. The same
 * document gives the same bytes. The caller writes them.
 */
export async function renderReport(
  report: ReportDocument,
  options: ReportOptions = {},
): Promise<ReportFiles> {
  checkReport("renderReport", report);
  checkOptions("renderReport", options, { theme: anyOf("light", "dark") } satisfies Checks<ReportOptions>);
  const { theme = "light" } = options;
  const tools = await loadTools();
  const figures = report.sections.flatMap((section) => section.figures);
  const drawn = figures.map((figure) => ({
    figure,
    drawing: drawFigure(tools, figure),
    legend: legendOf(figure),
    data: rowsOf(figure),
  }));
  const page = await pageHtml(report, drawn);
  return new Map([["report.html", bytes(page)], ...(await figureFiles(drawn, report, theme))]);
}

type Drawn = DrawnFigure & { readonly figure: Figure };

async function figureFiles(drawn: readonly Drawn[], report: ReportDocument, theme: Theme) {
  const names = new Map(report.protocols.map(({ id, name }) => [id, `${id}: ${name}`]));
  const frames = drawn.map(({ figure, drawing, legend }) => {
    const protocols = figure.protocols.map((id) => names.get(id) ?? id);
    return { figure, frame: layOut(figure, drawing, legend, protocols) };
  });
  const words = frames.map(({ frame }) => frame.content.replace(/<[^>]*>/g, "")).join("");
  const style = drawn.length === 0 ? "" : await fontFaces("sans", words);
  const plain = frames.map(
    ({ figure, frame }) => [figure.id, resolveTheme(svgFile(frame, figure, ""), theme)] as const,
  );
  const pngs = await drawPngs(new Map(plain));
  return drawn.flatMap(({ figure, data }, index): [string, Uint8Array][] => {
    const frame = frames[index]?.frame;
    const png = pngs.get(figure.id);
    if (frame === undefined || png === undefined) return [];
    const svg = resolveTheme(svgFile(frame, figure, style), theme);
    const name = `figures/${figure.id}`;
    return [
      [`${name}.svg`, bytes(svg)],
      [`${name}.png`, png],
      [`${name}.csv`, bytes(csvOf(data))],
    ];
  });
}

const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);
