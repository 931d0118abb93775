/** How figures write numbers: in labels, tips and tables. The CSV has them as they are. */
import type { NumberFormat, Quantity } from "./types.ts";

/** A number as it is read: three significant digits unless told otherwise, and a true minus. */
export function writeNumber(value: number, format: NumberFormat = {}): string {
  const { style = "plain", sign = false } = format;
  const scaled = style === "percent" ? value * 100 : value;
  const size = Math.abs(scaled);
  const digits = format.digits ?? digitsOf(size, style);
  const free = format.digits === undefined && size !== 0;
  const text = free && size < 1e-6 ? tiny(size) : free && size >= 1e6 ? huge(size) : fixed(size, digits);
  const isZero = /^[0.]*$/.test(text);
  const front = isZero ? "" : scaled < 0 ? "−" : sign ? "+" : "";
  return `${front}${style === "times" ? "×" : ""}${text}${style === "percent" ? "%" : ""}`;
}

/** The same, with the unit behind. */
export function writeQuantity(value: number, { format, unit }: Quantity): string {
  return `${writeNumber(value, format)}${unit === undefined ? "" : ` ${unit}`}`;
}

function digitsOf(size: number, style: NumberFormat["style"]): number {
  if (size === 0 || size >= 1000 || Number.isInteger(size)) return 0;
  const significant = style === "percent" ? 2 : 3;
  return Math.max(0, significant - 1 - Math.floor(Math.log10(size)));
}

/** Not by the locale of the machine: equal documents give equal bytes. */
function fixed(size: number, digits: number): string {
  const [whole = "", fraction] = size.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A million and more: 1.23M, 492M, 4.1B. */
function huge(size: number): string {
  if (size >= 1e12) return size.toExponential(1).replace("+", "");
  const [unit, scale] = size >= 999.5e6 ? ["B", 1e9] : ["M", 1e6];
  return `${Number((size / scale).toPrecision(3))}${unit}`;
}

const tiny = (size: number) => size.toExponential(1).replace("-", "−");
