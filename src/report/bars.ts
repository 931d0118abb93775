import {
  aNumber,
  aString,
  aWhole,
  type Checks,
  checkArgument,
  checkOptions,
  listOf,
  objectOf,
  required,
} from "../options.ts";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of a chart in text. */
export interface Bar {
  /** Stands in front of it. */
  label: string;
  /** Its length. */
  value: number;
  /** Printed behind the bar, such as the value with its error. */
  note?: string;
}

const aBar = objectOf({
  label: required(aString),
  value: required(aNumber),
  note: aString,
} satisfies Checks<Bar>);

/**
 * A horizontal bar chart in plain text, on a linear scale from 0 to the largest value. Values differ by
 * orders of magnitude at a model's ends; `limit` cuts the scale there, and a cut bar ends in `»`.
 */
export function renderBars(bars: readonly Bar[], options: { width?: number; limit?: number } = {}): string {
  checkArgument("renderBars", "bars", bars, listOf(aBar));
  checkOptions("renderBars", options, { width: aWhole(1), limit: aNumber });
  const { width = 48, limit } = options;
  const largest = Math.max(0, ...bars.map(({ value }) => value));
  const scale = limit === undefined ? largest : Math.min(limit, largest);
  const labelWidth = Math.max(0, ...bars.map(({ label }) => label.length));
  return bars
    .map(({ label, value, note }) =>
      `${label.padEnd(labelWidth)} ${bar(value, scale, width).padEnd(width + 1)} ${note ?? ""}`.trimEnd(),
    )
    .join("\n");
}

function bar(value: number, scale: number, width: number): string {
  if (scale <= 0 || value <= 0) return "";
  if (value > scale) return `${"█".repeat(width)}»`;
  const eighths = Math.round((value / scale) * width * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}
