import { anyOf, type Checks, checkOptions } from "../options.ts";
import { checkReport } from "./check/check.ts";
import type { ReportDocument } from "./document.ts";
import { loadTools } from "./figures/chart.ts";
import { drawFigure } from "./figures/draw.ts";
import { type FileFrame, layOut, svgFile } from "./figures/file.ts";
import { legendOf } from "./figures/legend.ts";
import { csvOf, rowsOf } from "./figures/rows.ts";
import type { DataRows, FigureBase } from "./figures/types.ts";
import { cutFont, fontFaces } from "./fonts.ts";
import type { DrawnFigure } from "./page/figure.ts";
import { bodyHtml, pageHtml } from "./page/page.ts";
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
  const body = bodyHtml(report, drawn);
  const frames = framesOf(drawn, report);
  const words = wordsOf([body, ...frames.map(({ frame }) => frame.content)]);
  const [sans, serif] = await Promise.all([cutFont("sans", words), cutFont("serif", wordsOf([body]))]);
  const page = pageHtml(report.title, body, fontFaces(sans, "DK Sans") + fontFaces(serif, "DK Serif"));
  const files = await figureFiles(frames, fontFaces(sans, "Inter"), theme);
  return new Map([["report.html", bytes(page)], ...files]);
}

interface Framed {
  readonly figure: FigureBase;
  readonly data: DataRows;
  readonly frame: FileFrame;
}

function framesOf(drawn: readonly DrawnFigure[], report: ReportDocument): Framed[] {
  const names = new Map(report.protocols.map(({ id, name }) => [id, `${id}: ${name}`]));
  return drawn.map(({ figure, drawing, legend, data }) => {
    const protocols = figure.protocols.map((id) => names.get(id) ?? id);
    return { figure, data, frame: layOut(figure, drawing, legend, protocols) };
  });
}

async function figureFiles(
  frames: readonly Framed[],
  style: string,
  theme: Theme,
): Promise<[string, Uint8Array][]> {
  const draw = ({ frame, figure }: Framed, sheet: string) =>
    resolveTheme(svgFile(frame, figure, sheet), theme);
  const pngs = await drawPngs(frames.map((framed) => draw(framed, "")));
  return frames.flatMap((framed, index): [string, Uint8Array][] => {
    const name = `figures/${framed.figure.id}`;
    return [
      [`${name}.svg`, bytes(draw(framed, style))],
      [`${name}.png`, pngs[index] ?? new Uint8Array()],
      [`${name}.csv`, bytes(csvOf(framed.data))],
    ];
  });
}

/** The characters that a reader sees: between tags, escaped there, and the numbers of lists. */
const wordsOf = (parts: readonly string[]) => `${parts.join("").replace(/<[^>]*>/g, "")}<>&"0123456789.`;

const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);
