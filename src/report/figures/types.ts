/**
 * What the report can draw: a closed union of figures, each of them plain data. Nothing here knows of models,
 * records or workers. A number that is not there is null, never NaN: it is a gap in a line, an empty cell.
 */

/** A colour by its role: one in light, another in dark, told apart without colour vision too. */
export type Tone = "ink" | "blue" | "orange" | "green" | "violet" | "grey";

/** How the numbers of a quantity are written. */
export interface NumberFormat {
  /** `percent` writes 0.12 as 12%, `times` writes 1.33 as ×1.33. Default `plain`. */
  style?: "plain" | "percent" | "times";
  /** Digits after the point. Default: as many as three significant digits need. */
  digits?: number;
  /** Write a plus before what is above 0. Default false. */
  sign?: boolean;
}

/** What is measured: an axis, the value of a map's cells, a column. */
export interface Quantity {
  /** What it is, as tips and the data table name it: "perplexity". */
  name: string;
  /** Stands behind its numbers: "nats". */
  unit?: string;
  /** How its numbers are written. */
  format?: NumberFormat;
}

/** A place that an axis names. */
export interface Tick {
  /** Where it stands. */
  at: number;
  /** What stands there. Default: the number as the axis writes it. */
  text?: string;
  /** A second line beneath, such as the share of the parameters; left out where there is little room. */
  below?: string;
}

/** A quantity along an axis. */
export interface Axis extends Quantity {
  /** Default `linear`. Values on a `log` axis are above 0. */
  scale?: "linear" | "log";
  /**
   * Its ends. Default: what the values need; a linear axis of bars begins at 0. It must hold every number,
   * except that of upright axes: bars, lines and points that go beyond are cut there, with a sign that says
   * so, and the table has their numbers.
   */
  domain?: readonly [low: number, high: number];
  /** The places that it names. Default: a handful of round numbers. */
  ticks?: readonly (number | Tick)[];
}

/** What every figure has. */
export interface FigureBase {
  /** Names its anchor and its files: small letters, digits and hyphens, one of its kind in a report. */
  id: string;
  /** What it shows, as a claim that its numbers bear. */
  title: string;
  /** The quantity, its unit and its scale; it stands in for the titles of the axes. */
  subtitle: string;
  /** What to read from it, and what not. */
  caption: Prose;
  /** The ids of the protocols by which its numbers were had. */
  protocols: readonly string[];
  /** Said beside the chips of the protocols: which part is by which. */
  protocolNote?: string;
  /** What it is, in a sentence, for those who cannot see it. */
  description: string;
  /** What its table and its CSV hold. Default: every number that is drawn. */
  data?: DataRows;
}

/** A table of plain values, one line per row. */
export interface DataRows {
  /** The heading of each column. */
  columns: readonly string[];
  /** As many cells in each as there are columns. Numbers go into the CSV as they are. */
  rows: readonly (readonly (string | number | null)[])[];
}

/** Series of one colour: dashes and end labels tell them apart. */
export interface Family {
  /** Series name it; the legend writes it. */
  name: string;
  /** Its colour. */
  tone: Tone;
}

/** One line. */
export interface LineSeries {
  /** Its name in labels, tips and the table. */
  name: string;
  /** The name where there is little room. Default: `name`. */
  short?: string;
  /** The name of its family. */
  family: string;
  /** Drawn strong, with a bold label. */
  emphasis?: boolean;
  /** Default: solid for the first of a family, then dashes, dots and so on. */
  dash?: "solid" | "dashed" | "dotted" | "dash-dot";
  /** By rising x. */
  points: readonly LinePoint[];
}

/** One measured point. */
export interface LinePoint {
  /** Where it stands. */
  x: number;
  /** Null is a gap in the line. */
  y: number | null;
  /** The lower end of its interval; with `high`. */
  low?: number;
  /** The upper end of its interval; with `low`. */
  high?: number;
  /** Set off by a full mark, as the lowest of a line is. */
  marked?: boolean;
}

/** A strip across a chart: what lies within it is as good as something. */
export interface ReferenceStrip {
  low: number;
  high: number;
  /** "within 10% of the whole model". */
  label: string;
  /** Where there is little room. Default: `label`. */
  short?: string;
}

/** Where all lines begin or what they are compared with: the whole model. */
export interface ReferencePoint {
  x: number;
  y: number;
  label: string;
}

/** Lines over a number, the main figure of a study. Drawn wide, and again for phones. */
export interface LinesFigure extends FigureBase {
  kind: "lines";
  x: Axis;
  y: Axis;
  families: readonly Family[];
  series: readonly LineSeries[];
  reference?: ReferenceStrip;
  whole?: ReferencePoint;
  /** What a band around a line is, for the legend: "95% interval of the paired difference". */
  band?: string;
}

/** Small charts side by side, of one legend. */
export interface PanelsFigure extends FigureBase {
  kind: "panels";
  /** How many stand side by side where there is room. */
  columns: 2 | 3;
  families: readonly Family[];
  panels: readonly Panel[];
  /** What a marked point or bar is, for the legend: "three lowest of each kind". */
  marked?: string;
  /** What a band around a line, or a line through a bar, is, for the legend. */
  band?: string;
}

/** One of several small charts in a figure. */
export type Panel = LinesPanel | BarsPanel | IntervalsPanel;

/** A small chart of lines. */
export interface LinesPanel {
  kind: "lines";
  title: string;
  x: Axis;
  y: Axis;
  series: readonly LineSeries[];
  reference?: ReferenceStrip;
  /** Write the names at the ends of the lines. Default false: the legend alone tells them. */
  labels?: boolean;
}

/** A small chart of upright bars, one per block. */
export interface BarsPanel {
  kind: "bars";
  title: string;
  /** A whole number for each bar: the depth. */
  x: Axis;
  y: Axis;
  bars: readonly DepthBar[];
}

/** One bar. */
export interface DepthBar {
  x: number;
  /** Null: no bar, and an empty cell in the table. */
  y: number | null;
  /** The name of its family. */
  family: string;
  low?: number;
  high?: number;
  /** Full colour, where the others are pale. */
  marked?: boolean;
}

/** A small chart of a dot and an interval for each player. */
export interface IntervalsPanel {
  kind: "intervals";
  title: string;
  value: Axis;
  players: readonly Player[];
  tone: Tone;
}

/** A map over two axes, such as first block and length of a span. Drawn wide, and again for phones. */
export interface MapFigure extends FigureBase {
  kind: "map";
  /** What stands across, from left to right. */
  x: MapAxis;
  /** What stands down, from top to bottom. */
  y: MapAxis;
  /** What the colours are. */
  value: Quantity;
  /** One row for each entry of `y`, one number for each entry of `x`; null is no cell. */
  cells: readonly (readonly (number | null)[])[];
  shading: MapShading;
  /** Cells with a ring around: the row and the column, from 0. */
  marked?: { cells: readonly (readonly [row: number, column: number])[]; label: string };
}

/** One axis of a map. */
export interface MapAxis {
  /** What its entries are: "first block". */
  name: string;
  entries: readonly string[];
}

/** How a map tells values by colour. */
export type MapShading = OneHue | TwoHues;

/** One hue; its strength tells the value. */
export interface OneHue {
  kind: "one";
  tone: Tone;
  /** The value of no colour and what lies beyond. */
  weakest: number;
  /** The value of full colour and what lies beyond; below `weakest` where low values are to stand out. */
  strongest: number;
  /** Default `linear`. */
  scale?: "linear" | "log";
}

/** Two hues for above and below 0, with the number in each cell. */
export interface TwoHues {
  kind: "signed";
  positive: { tone: Tone; label: string };
  negative: { tone: Tone; label: string };
  /** The size of full colour. */
  limit: number;
}

/** A dot and an interval for each player, and how sure the lowest are. */
export interface IntervalsFigure extends FigureBase {
  kind: "intervals";
  groups: readonly IntervalGroup[];
}

/** The values of one target or method. */
export interface IntervalGroup {
  title: string;
  tone: Tone;
  value: Axis;
  /** Drawn in this order from the top. */
  players: readonly Player[];
  /** The chance of being among the lowest k. */
  lowest?: LowestChances;
}

/** A player's value. */
export interface Player {
  name: string;
  value: number | null;
  /** Of its 95% interval; left out where its spread is unknown. */
  low?: number;
  high?: number;
  /** Its exact value, where there is one: a tick. */
  exact?: number;
}

/** How sure it is which players are the lowest k. */
export interface LowestChances {
  /** Each a column. */
  k: readonly number[];
  /** One row per player, as many chances from 0 to 1 as there are `k`; null where it is not told. */
  players: readonly { name: string; chances: readonly (number | null)[] }[];
  /** That the whole set of k is right, for each of `k`. */
  together?: readonly (number | null)[];
}

/** Points of quality against costs, with the Pareto front. */
export interface ScatterFigure extends FigureBase {
  kind: "scatter";
  families: readonly Family[];
  panels: readonly ScatterPanel[];
  /** What the lines through the points are, for the legend: "quartiles". */
  whiskers?: string;
}

/** Quality against one cost. */
export interface ScatterPanel {
  title: string;
  x: Axis;
  y: Axis;
  /** Which way is better. The front is made of the points that no other beats in both. */
  better: { x: "lower" | "higher"; y: "lower" | "higher" };
  points: readonly ScatterPoint[];
}

/** One choice. A point without one of its numbers is in the table alone. */
export interface ScatterPoint {
  /** "8 blocks removed". */
  name: string;
  /** Beside the mark where it is on the front: "−8". Default: none. */
  label?: string;
  family: string;
  x: number | null;
  y: number | null;
  xLow?: number;
  xHigh?: number;
  yLow?: number;
  yHigh?: number;
}

/** A table that is a figure: numbers that must be read, with bars that show them. */
export interface TableFigure extends FigureBase {
  kind: "table";
  columns: readonly TableColumn[];
  /** As many cells in each as there are columns; null is an empty cell. */
  rows: readonly (readonly (string | number | null)[])[];
}

/** One column. The first names the rows. */
export interface TableColumn {
  title: string;
  /** Smaller, beneath the title: the protocol, the unit. */
  detail?: string;
  /** How its numbers are written. */
  format?: NumberFormat;
  /** Draw a bar of each number: what is below 0 is hollow. */
  bar?: {
    tone: Tone;
    /** The number of a full bar; longer ones are cut there. Default: the largest size in the column. */
    limit?: number;
  };
}

/** What models wrote, side by side. */
export interface TextsFigure extends FigureBase {
  kind: "texts";
  prompts: readonly { prompt: string; answers: readonly WrittenText[] }[];
}

/** What one model wrote after a prompt. */
export interface WrittenText {
  /** Whose it is: "4 blocks removed". */
  name: string;
  /** Smaller, beneath: which blocks. */
  detail?: string;
  text: string;
  tone?: Tone;
}

/** A figure of a report. */
export type Figure =
  | LinesFigure
  | PanelsFigure
  | MapFigure
  | IntervalsFigure
  | ScatterFigure
  | TableFigure
  | TextsFigure;

/** Words, some of them strong, some of them links. All of it is escaped. */
export type Prose = string | readonly Inline[];

/** A part of a sentence. */
export type Inline =
  | string
  /** Bold. */
  | { strong: string }
  /** "Figure 3", a link to the figure of this id. */
  | { figure: string }
  /** A link to the section of this id. */
  | { section: string; text: string }
  /** A chip that leads to the protocol of this id. */
  | { protocol: string };
