/** The ends of an axis and the places that it names. */
import { writeNumber } from "./numbers.ts";
import { textWidth } from "./text-width.ts";
import type { Axis, Quantity, Tick } from "./types.ts";

/** An axis with all that was left open decided. */
export interface Ruler {
  readonly scale: "linear" | "log";
  readonly domain: readonly [low: number, high: number];
  readonly ticks: readonly Required<Tick>[];
}

/** Between the ends of a log axis, from many places a decade to few. */
const LOG_STEPS = [[1, 1.5, 2, 3, 4, 5, 7], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]] as const;

interface RulerOptions {
  /** Bars begin at 0. */
  readonly fromZero?: boolean;
  /** The domain ends with the values. */
  readonly tight?: boolean;
  /** How many places may be named. */
  readonly room?: number;
  /** Of an axis across: how many pixels there are for its names. */
  readonly width?: number;
}

/** @param values what must be seen */
export function rulerOf(axis: Axis, values: readonly number[], options: RulerOptions = {}): Ruler {
  const { fromZero = false, tight = false, room = 7, width } = options;
  const scale = axis.scale ?? "linear";
  const seen = fromZero && scale === "linear" ? [...values, 0] : values;
  const domain = axis.domain ?? (scale === "log" ? logDomain(seen) : linearDomain(seen, fromZero, tight));
  const fits = ({ ticks }: Ruler) => width === undefined || namesFit({ scale, domain, ticks }, width);
  const ruler = (ticks: readonly (number | Tick)[]): Ruler => ({
    scale,
    domain,
    ticks: named(ticks, axis, domain),
  });
  if (axis.ticks !== undefined) {
    const given = axis.ticks;
    const thinned = [1, 2, 5, 10, 20, 50].map((every) =>
      ruler(given.filter((_, index) => index % every === 0)),
    );
    return thinned.find(fits) ?? ruler(given.slice(0, 1));
  }
  const make = scale === "log" ? logTicks : linearTicks;
  for (let most = room; most > 1; most--) {
    const made = ruler(make(domain, most));
    if (fits(made)) return made;
  }
  return ruler(make(domain, 1).slice(0, 1));
}

function named(ticks: readonly (number | Tick)[], axis: Axis, [low, high]: readonly [number, number]) {
  const inside = ticks
    .map((tick): Tick => (typeof tick === "number" ? { at: tick } : tick))
    .filter(({ at }) => at >= low && at <= high);
  // On a log axis that spans little the places are those of a linear one.
  const apart = axis.scale === "log" && (inside.at(-1)?.at ?? 1) > 3 * (inside[0]?.at ?? 1);
  const digits = apart ? undefined : digitsOf(inside, axis);
  return inside.map(({ at, text, below }) => {
    const format = { ...axis.format, digits: digits ?? digitsIn(at, axis) };
    return { at, text: text ?? writeNumber(at, format), below: below ?? "" };
  });
}

/** Whether the names of places stand apart on so many pixels. */
function namesFit({ scale, domain, ticks }: Ruler, width: number): boolean {
  const measure = scale === "log" ? Math.log : (value: number) => value;
  const [low, high] = [measure(domain[0]), measure(domain[1])];
  const boxes = ticks.map(({ at, text }) => ({
    middle: ((measure(at) - low) / (high - low)) * width,
    half: textWidth(text, 12) / 2 + 3,
  }));
  return boxes.every(({ middle, half }, index) => {
    const before = boxes[index - 1];
    return before === undefined || middle - half >= before.middle + before.half;
  });
}

function linearDomain(values: readonly number[], fromZero: boolean, tight: boolean): [number, number] {
  const [low, high] = endsOf(values, [0, 1]);
  if (low === high) return fromZero ? [Math.min(0, low), Math.max(low, 0) || 1] : [low - 1, high + 1];
  const pad = tight ? 0 : (high - low) * 0.05;
  return [fromZero && low >= 0 ? 0 : low - pad, fromZero && high <= 0 ? 0 : high + pad];
}

function logDomain(values: readonly number[]): [number, number] {
  const [low, high] = endsOf(
    values.filter((value) => value > 0),
    [1, 10],
  );
  const pad = low === high ? 2 : (high / low) ** 0.05;
  return [low / pad, high * pad];
}

function endsOf(values: readonly number[], none: [number, number]): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return none;
  return [finite.reduce((a, b) => Math.min(a, b)), finite.reduce((a, b) => Math.max(a, b))];
}

/** The most places of 1, 2 and 5 that there is room for. */
export function linearTicks([low, high]: readonly [number, number], room: number): number[] {
  const least = (high - low) / room;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= least * 0.999) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.max(0, Math.floor(high / step + 1e-9) - first + 1);
  return Array.from({ length: count }, (_, index) => tidy((first + index) * step));
}

/** Round places of a log axis; where it spans too little for three of them, those of a linear one. */
export function logTicks([low, high]: readonly [number, number], room: number): number[] {
  const first = Math.floor(Math.log10(low));
  const decades = Array.from(
    { length: Math.ceil(Math.log10(high)) - first + 1 },
    (_, index) => first + index,
  );
  const inside = (steps: readonly number[], every = 1) =>
    decades
      .filter((decade) => decade % every === 0)
      .flatMap((decade) => steps.map((step) => tidy(step * 10 ** decade)))
      .filter((at) => at >= low && at <= high);
  const fits = LOG_STEPS.map((steps) => inside(steps)).find((ticks) => ticks.length <= room);
  if (fits === undefined) return inside([1], Math.ceil(decades.length / room));
  return fits.length < 3 ? linearTicks([low, high], room) : fits;
}

/** As many digits for all places as the longest of them needs: 0.0, 0.5, 1.0. */
function digitsOf(ticks: readonly Tick[], axis: Axis): number {
  return Math.max(0, ...ticks.map(({ at }) => digitsIn(at, axis)));
}

/** A number with the digits that it has, at most three, unless its quantity says how many. */
export const writeChosen = (at: number, { format }: Quantity) =>
  format?.digits === undefined
    ? writePlace(Number(at.toPrecision(3)), { name: "", ...(format === undefined ? {} : { format }) })
    : writeNumber(at, format);

/** From a million on with a letter: nobody counts zeros. */
function writePlace(at: number, axis: Quantity, digits = digitsIn(at, axis)): string {
  return writeNumber(
    at,
    Math.abs(at) >= 1e6 && axis.format?.digits === undefined ? axis.format : { ...axis.format, digits },
  );
}

/** How many digits a place has after its point. */
function digitsIn(at: number, { format }: Quantity): number {
  const [mantissa = "", exponent = "0"] = String(tidy(format?.style === "percent" ? at * 100 : at)).split(
    "e",
  );
  return Math.max(0, (mantissa.split(".")[1]?.length ?? 0) - Number(exponent));
}

/** Without the last digits of a product: 0.3, not 0.30000000000000004. */
const tidy = (value: number) => Number(value.toPrecision(12));
