import { item, present } from "./arrays.ts";

/** Indices by value, lowest first; equal values in order of index, so that a choice is repeatable. */
export function ranking(values: ArrayLike<number>): number[] {
  return Array.from(values, (value, index) => ({ value, index }))
    .sort((a, b) => a.value - b.value || a.index - b.index)
    .map(({ index }) => index);
}

/**
 * The indices of `ranking` in groups of values that follow each other within `rounding`, each in order of
 * index.
 */
export function tieGroups(values: ArrayLike<number>, rounding: number): number[][] {
  const groups: number[][] = [];
  let before = Number.NaN;
  for (const index of ranking(values)) {
    const value = present(values[index], "a ranked value");
    const last = groups.at(-1);
    if (last !== undefined && value - before <= rounding) last.push(index);
    else groups.push([index]);
    before = value;
  }
  return groups.map((group) => group.sort((a, b) => a - b));
}

/** Ranks from 1, ties sharing their mean rank. */
export function ranksOf(values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  const ranks = new Array<number>(list.length).fill(0);
  const order = ranking(list);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && item(list, item(order, end)) === item(list, item(order, start))) end++;
    for (const index of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/** Pearson's correlation; NaN where one side does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  if (isConstant(a) || isConstant(b)) return Number.NaN;
  const meanA = a.reduce((sum, x) => sum + x / a.length, 0);
  const meanB = b.reduce((sum, x) => sum + x / b.length, 0);
  const [together, ofA, ofB] = a.reduce(
    ([ab, aa, bb], x, i) => {
      const [u, w] = [x - meanA, item(b, i) - meanB];
      return [ab + u * w, aa + u * u, bb + w * w] as const;
    },
    [0, 0, 0] as readonly [number, number, number],
  );
  return together / Math.sqrt(ofA * ofB);
}

function isConstant(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}

/** Spearman's rank correlation, ties sharing their mean rank; NaN where one side does not vary. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlation(ranksOf(a), ranksOf(b));
}

/** Kendall's tau-b, which corrects for ties. NaN where one side does not vary. Quadratic in the length. */
export function kendallTau(a: readonly number[], b: readonly number[]): number {
  let [agreement, variedA, variedB] = [0, 0, 0];
  for (const [i, ofA] of a.entries()) {
    for (let j = 0; j < i; j++) {
      const inA = Math.sign(ofA - item(a, j));
      const inB = Math.sign(item(b, i) - item(b, j));
      agreement += inA * inB;
      variedA += Math.abs(inA);
      variedB += Math.abs(inB);
    }
  }
  return agreement / Math.sqrt(variedA * variedB);
}

/** The share of the `count` first that two orders have in common. */
export function sharedFirst(a: readonly number[], b: readonly number[], count: number): number {
  const chosen = new Set(a.slice(0, count));
  return b.slice(0, count).filter((index) => chosen.has(index)).length / count;
}
