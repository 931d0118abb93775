import { item } from "../arrays.ts";
import type { Coalition } from "./coalition.ts";

/**
 * Orders coalitions such that those with a common beginning stand together: at the first player in which two
 * differ the one that has it comes first. In this order each coalition shares with the one before it the
 * longest prefix it shares with any earlier one, so an engine that keeps the states of the last coalition
 * computes nothing twice.
 */
export function compareByDepth(a: Coalition, b: Coalition): number {
  const at = a.firstDifference(b);
  if (at === a.players) return 0;
  return a.has(at) ? -1 : 1;
}

export function sortByDepth(coalitions: readonly Coalition[]): Coalition[] {
  return [...coalitions].sort(compareByDepth);
}

/** What players cost to compute, in block evaluations. */
export interface PlayerCosts {
  /** Of each player where it is present. */
  readonly own: readonly number[];
  /** From each player's beginning on: what belongs to no player and is always there. */
  readonly restFrom: readonly number[];
  /** All that belongs to no player. */
  readonly rest: number;
}

/**
 * What a batch costs under prefix sharing: the nodes of the trie over the coalitions' member lists. A player
 * that is absent costs nothing; what two coalitions have in common up to the first difference is paid once.
 * Without `costs` every player is one block, and there is nothing else.
 */
export function prefixCost(coalitions: readonly Coalition[], costs?: PlayerCosts): number {
  let total = 0;
  let previous: Coalition | undefined;
  for (const coalition of sortByDepth(coalitions)) {
    const from = previous === undefined ? 0 : coalition.firstDifference(previous);
    if (costs === undefined) {
      total += coalition.sizeFrom(from);
    } else {
      // Behind the last player, where two coalitions are the same, nothing is left to compute.
      const rest = previous === undefined ? costs.rest : (costs.restFrom[from] ?? 0);
      total += costOfMembers(coalition, from, costs.own) + rest;
    }
    previous = coalition;
  }
  return total;
}

function costOfMembers(coalition: Coalition, from: number, own: readonly number[]): number {
  let cost = 0;
  for (const member of coalition) if (member >= from) cost += item(own, member);
  return cost;
}
