/** Numbers, tables and charts as plain text. */
export { formatBytes, formatCount, formatNumber, formatSeconds } from "../platform/format.ts";
export { type Bar, renderBars } from "./bars.ts";
export { type Column, renderTable } from "./table.ts";
export { renderRemovalCosts, renderTradeOffs } from "./trade-offs.ts";
