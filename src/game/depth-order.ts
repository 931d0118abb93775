import type { Coalition } from "./coalition.ts";

/**
 * Orders coalitions such that those with a common beginning stand together: at the first player in which two differ
 * the one that has it comes first. In this order each coalition shares with the one before it the longest prefix it
 * shares with any earlier one, so an engine that keeps the states of the last coalition computes nothing twice.
 */
export function compareByDepth(a: Coalition, b: Coalition): number {
  const at = a.firstDifference(b);
  if (at === a.players) return 0;
  return a.has(at) ? -1 : 1;
}

export function sortByDepth(coalitions: readonly Coalition[]): Coalition[] {
  return [...coalitions].sort(compareByDepth);
}

/**
 * What a batch costs under prefix sharing, in evaluations of a player: the nodes of the trie over the coalitions'
 * member lists. A player that is absent costs nothing; what two coalitions have in common up to the first
 * difference is paid once.
 */
export function prefixCost(coalitions: readonly Coalition[]): number {
  let cost = 0;
  let previous: Coalition | undefined;
  for (const coalition of sortByDepth(coalitions)) {
    cost += previous === undefined ? coalition.size : coalition.sizeFrom(coalition.firstDifference(previous));
    previous = coalition;
  }
  return cost;
}
