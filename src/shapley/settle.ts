import { item, real } from "../arrays.ts";
import { ranking } from "../ranks.ts";
import { tTail } from "./student-t.ts";
import { type JudgedDraft, jointDegrees } from "./unseen.ts";

/** The part of what may hide that a decision to stop makes room for: a deviation of half the range seen. */
const shareOfHidden = 0.25;

/** How many looks at the estimate a budget allows at most: growing from `first` by `growth` each time. */
export function looksWithin(evaluations: number, first: number, growth: number): number {
  return evaluations <= first ? 1 : 1 + Math.ceil(Math.log(evaluations / first) / Math.log(growth));
}

/**
 * Whether the k players of least estimate are the k lowest, at a chance of error of `risk`, ties included:
 * the chances that a pair of a chosen and another player stands the other way round, by Student's t, sum up
 * to less than half of it. Half, since between players that tie an estimate errs on either side. To each
 * pair's variance comes what was not drawn may hide, at half the range seen; and a difference within rounding
 * settles nothing.
 */
export function isSettled(draft: JudgedDraft, k: number, risk: number): boolean {
  const order = ranking(draft.estimate);
  const players = order.length;
  const hidden = players > 1 ? (2 * shareOfHidden * draft.unseen * players) / (players - 1) : 0;
  let sum = 0;
  // The pairs nearest to the cut come first: where they fail, nothing else is computed.
  for (let i = k - 1; i >= 0; i--) {
    const low = item(order, i);
    for (const high of order.slice(k)) {
      const gap = real(draft.estimate, high) - real(draft.estimate, low);
      if (gap <= draft.rounding) return false;
      const seen = differenceVariance(draft.factors, low, high);
      const ofSeen = Math.min(real(draft.degrees, low), real(draft.degrees, high));
      const degrees = jointDegrees(seen, ofSeen, hidden, draft.units);
      if (seen + hidden > 0) sum += tTail(gap / Math.sqrt(seen + hidden), degrees);
      if (sum > risk / 2) return false;
    }
  }
  return true;
}

function differenceVariance(factors: readonly Float64Array[], i: number, j: number): number {
  let variance = 0;
  for (const row of factors) variance += (real(row, i) - real(row, j)) ** 2;
  return variance;
}
