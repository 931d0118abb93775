/** Numbers, tables and charts as plain text; figures and a page of them as files. */
export { formatBytes, formatCount, formatNumber, formatSeconds } from "../platform/format.ts";
export { type Bar, renderBars } from "./bars.ts";
export type {
  Finding,
  KeyNumber,
  ReportDocument,
  ReportProtocol,
  ReportSection,
  Verdict,
  VerdictList,
} from "./document.ts";
export type {
  Axis,
  BarsPanel,
  DataRows,
  DepthBar,
  Family,
  Figure,
  FigureBase,
  Inline,
  IntervalGroup,
  IntervalsFigure,
  IntervalsPanel,
  LinePoint,
  LineSeries,
  LinesFigure,
  LinesPanel,
  LowestChances,
  MapAxis,
  MapFigure,
  MapShading,
  NumberFormat,
  OneHue,
  Panel,
  PanelsFigure,
  Player,
  Prose,
  Quantity,
  ReferencePoint,
  ReferenceStrip,
  ScatterFigure,
  ScatterPanel,
  ScatterPoint,
  TableColumn,
  TableFigure,
  TextsFigure,
  Tick,
  Tone,
  TwoHues,
  WrittenText,
} from "./figures/types.ts";
export { type ReportFiles, type ReportOptions, renderReport } from "./render.ts";
export { type StudyReportOptions, studyReport } from "./study/document.ts";
export { type Column, renderTable } from "./table.ts";
export { renderRemovalCosts, renderTradeOffs } from "./trade-offs.ts";
