import type { RemovalCosts, TradeOffs } from "../experiment/trade-offs.ts";
import { aWhole, checkOptions, listOf } from "../options.ts";
import { formatNumber } from "../platform/format.ts";
import { type Column, renderTable } from "./table.ts";

/** Rank correlations and shared lowest units as text tables, for the ks given (default 1, 2, 4, 8, ...). */
export function renderTradeOffs(
  { names, units, spearman, kendall, lowestOverlap }: TradeOffs,
  options: { lowest?: readonly number[] } = {},
): string {
  checkOptions("renderTradeOffs", options, { lowest: listOf(aWhole(1)) });
  const { lowest = powersOfTwo(units.length) } = options;
  const overlaps = lowest.flatMap((k) => {
    const shares = lowestOverlap[k - 1];
    return shares === undefined ? [] : [matrix(`Shared of the ${k} lowest`, names, shares)];
  });
  return [
    matrix("Spearman's rank correlation", names, spearman),
    matrix("Kendall's tau-b", names, kendall),
    ...overlaps,
  ].join("\n\n");
}

/** What removing by each list costs under each value, as the change from the whole model. */
export function renderRemovalCosts({ whole, costs }: RemovalCosts): string {
  const values = Object.keys(whole);
  const columns: Column[] = [
    { title: "removed by" },
    { title: "units", align: "right" },
    ...values.map((title): Column => ({ title, align: "right" })),
  ];
  const rows = [
    ["(whole model)", "0", ...values.map((name) => formatNumber(whole[name] ?? Number.NaN))],
    ...costs.map(({ by, removed, changes }) => [
      by,
      String(removed.length),
      ...values.map((name) => signed(changes[name] ?? Number.NaN)),
    ]),
  ];
  return renderTable(columns, rows);
}

function matrix(title: string, names: readonly string[], cells: readonly (readonly number[])[]): string {
  const columns: Column[] = [
    { title: "" },
    ...names.map((name): Column => ({ title: name, align: "right" })),
  ];
  const rows = names.map((name, row) => [
    name,
    ...(cells[row] ?? []).map((cell) => (Number.isNaN(cell) ? "-" : cell.toFixed(2))),
  ]);
  return `${title}\n${renderTable(columns, rows)}`;
}

function signed(change: number): string {
  return change > 0 ? `+${formatNumber(change)}` : formatNumber(change);
}

function powersOfTwo(most: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil(Math.log2(most))) }, (_, power) => 2 ** power);
}
