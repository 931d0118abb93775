/** A figure, drawn: for the page and for files alike. The one place that knows all kinds. */
import type { Picture, Tools } from "./chart.ts";
import { drawIntervals } from "./intervals.ts";
import { drawLines } from "./lines.ts";
import { drawMap } from "./map.ts";
import { drawPanels } from "./panels.ts";
import { drawScatter, drawScatterPanel } from "./scatter.ts";
import { drawTable, tableHtml } from "./table-figure.ts";
import { drawTexts, textsHtml } from "./texts-figure.ts";
import type { Figure } from "./types.ts";

/** The width of the page's column, and that of a phone. */
export const WIDE = 860;
const NARROW = 384;

export type Drawing =
  /** Two renditions of one picture; the page shows the one that fits. */
  | { readonly layout: "pair"; readonly wide: Picture; readonly narrow: Picture }
  /** Small ones, as many side by side as there is room for. */
  | { readonly layout: "grid"; readonly columns: 2 | 3; readonly pictures: readonly Picture[] }
  /** Words and numbers, which a page sets better than a drawing does. */
  | { readonly layout: "html"; readonly html: string; readonly picture: Picture };

export function drawFigure(tools: Tools, figure: Figure): Drawing {
  switch (figure.kind) {
    case "lines":
      return pair((width) => drawLines(tools, figure, width));
    case "panels":
      return { layout: "grid", columns: figure.columns, pictures: drawPanels(tools, figure) };
    case "map":
      return pair((width) => drawMap(tools, figure, width));
    case "intervals": {
      const [only, ...others] = figure.groups;
      if (only !== undefined && others.length === 0)
        return pair((width) => drawIntervals(tools, only, width));
      const pictures = figure.groups.map((group) => drawIntervals(tools, group));
      return { layout: "grid", columns: 2, pictures };
    }
    case "scatter": {
      const [only, ...others] = figure.panels;
      if (only !== undefined && others.length === 0) {
        return pair((width) =>
          drawScatterPanel(tools, only, figure.families, { width, height: width > 600 ? 420 : 320 }),
        );
      }
      return {
        layout: "grid",
        columns: figure.panels.length >= 3 ? 3 : 2,
        pictures: drawScatter(tools, figure),
      };
    }
    case "table":
      return { layout: "html", html: tableHtml(figure), picture: drawTable(figure) };
    case "texts":
      return { layout: "html", html: textsHtml(figure), picture: drawTexts(figure) };
  }
}

const pair = (draw: (width: number) => Picture): Drawing => ({
  layout: "pair",
  wide: draw(WIDE),
  narrow: draw(NARROW),
});
