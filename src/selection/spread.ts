/** Which sequences of a text make up parts that each come from all over it. */
import { item } from "../arrays.ts";

const goldenRatio = (Math.sqrt(5) - 1) / 2;

/**
 * For each part as many numbers from 0 to `count` - 1 as it asks for, in growing order: the text is cut into
 * as many stretches as there are numbers, which go to the parts in turn, each part as evenly as its size
 * allows. A draw takes one number of each stretch; others take others, as far from those before as can be.
 *
 * @param draw - less than `count` by the sum of the sizes
 */
export function spread(count: number, sizes: readonly number[], draw: number): number[][] {
  const wanted = sizes.reduce((sum, size) => sum + size, 0);
  const stretch = Math.floor(count / wanted);
  const within = placeOf(draw, stretch);
  const parts = sizes.map((): number[] => []);
  for (let at = 0; at < wanted; at++) {
    // How much of what is due to a part by the middle of this stretch it has not got yet.
    const lag = sizes.map((size, part) => ((at + 0.5) * size) / wanted - item(parts, part).length);
    item(parts, lag.indexOf(Math.max(...lag))).push(at * stretch + within);
  }
  return parts;
}

/** So many of the items, spaced evenly, in their order. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, at) =>
    item(items, Math.floor(((at + 0.5) * items.length) / count)),
  );
}

/** The place of a draw among `places`: those of the first draws lie far apart, and no two are the same. */
function placeOf(draw: number, places: number): number {
  const turn = (number: number) => (number * goldenRatio) % 1;
  return Array.from({ length: places }, (_, other) => turn(other)).filter((one) => one < turn(draw)).length;
}
