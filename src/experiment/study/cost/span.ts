/** Seconds by a sample: its median, and the fastest and slowest of it. */
import { item } from "../../../arrays.ts";

export interface Span {
  readonly seconds: number;
  readonly low: number;
  readonly high: number;
}

export const nothing: Span = { seconds: 0, low: 0, high: 0 };

export const plus = (a: Span, b: Span): Span => ({
  seconds: a.seconds + b.seconds,
  low: a.low + b.low,
  high: a.high + b.high,
});

export const times = ({ seconds, low, high }: Span, by: number): Span => ({
  seconds: seconds * by,
  low: low * by,
  high: high * by,
});

export const exactly = (seconds: number): Span => ({ seconds, low: seconds, high: seconds });

/** Of what is measured once only: a quarter to either side, as samples of one are. */
export const spread = (seconds: number): Span => ({ seconds, low: seconds * 0.75, high: seconds * 1.25 });

export function spanOf(measured: readonly number[]): Span {
  const sorted = [...measured].sort((a, b) => a - b);
  const middle = Math.floor((sorted.length - 1) / 2);
  const other = Math.ceil((sorted.length - 1) / 2);
  return {
    seconds: (item(sorted, middle) + item(sorted, other)) / 2,
    low: item(sorted, 0),
    high: item(sorted, sorted.length - 1),
  };
}

/** Seconds that something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
