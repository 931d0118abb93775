/** The numbers behind a figure: a table that opens, and a CSV file that lies in the link itself. */
import { csvOf } from "../figures/rows.ts";
import { escapeText } from "../figures/svg.ts";
import type { DataRows } from "../figures/types.ts";

/** More rows make a page slow; the file has them all. */
const MOST_ROWS = 400;

export function dataTable(id: string, data: DataRows): string {
  const shown = data.rows.slice(0, MOST_ROWS);
  const rest = data.rows.length - shown.length;
  const more = rest === 0 ? "" : `<p>The CSV file has ${rest} rows more.</p>`;
  const head = data.columns.map((column) => `<th scope="col">${escapeText(column)}</th>`).join("");
  const body = shown.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("");
  const file = encodeURI(csvOf(data).toWellFormed()).replaceAll("#", "%23");
  const rows = `${data.rows.length} ${data.rows.length === 1 ? "row" : "rows"}`;
  return [
    `<div class="data"><details><summary>Data table <small>${rows}</small></summary>`,
    `<div class="scroll" tabindex="0" role="region" aria-label="Data table"><table><thead><tr>`,
    `${head}</tr></thead><tbody>${body}</tbody></table></div>${more}</details>`,
    `<a class="csv" download="${id}.csv" href="data:text/csv;charset=utf-8,`,
    `${escapeText(file)}">CSV</a></div>`,
  ].join("");
}

function cell(value: string | number | null, index: number): string {
  const text = value === null ? "" : typeof value === "number" ? String(Number(value.toPrecision(6))) : value;
  if (index === 0) return `<th scope="row">${escapeText(text)}</th>`;
  return `<td${typeof value === "string" ? ' class="s"' : ""}>${escapeText(text)}</td>`;
}
