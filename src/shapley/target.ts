import { DepthkitError } from "../errors.ts";

/**
 * Which average of marginal contributions is estimated: the Shapley value, which weighs every coalition size
 * alike, or the horizon value, the mean over the last `horizon` removals only (sizes n - horizon to n - 1 of
 * the coalition without the player, each weighted 1/horizon). Horizon 1 is leave-one-out, horizon n the
 * Shapley value.
 */
export type Target = "shapley" | { readonly horizon: number };

/** How many removals the target reaches. */
export function reachOf(target: Target, players: number): number {
  if (target === "shapley") return players;
  const { horizon } = target;
  if (!Number.isInteger(horizon) || horizon < 1 || horizon > players) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Choosing a target: got horizon ${horizon}; with ${players} players it is an integer from 1 ` +
        `(leave-one-out) to ${players} (the Shapley value).`,
    );
  }
  return horizon;
}

export function describeTarget(target: Target): string {
  return target === "shapley" ? "shapley" : `horizon ${target.horizon}`;
}

/**
 * n choose k in floating point: exact up to 2^53, then to a few units in the last place; Infinity when it
 * overflows.
 */
export function choose(n: number, k: number): number {
  if (k < 0 || k > n) return 0;
  let result = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) {
    const next = (result * (n - i + 1)) / i;
    result = next < Number.MAX_SAFE_INTEGER ? Math.round(next) : next;
  }
  return result;
}

/** How many coalitions lack at most `reach` players. */
export function coalitionsWithin(players: number, reach: number): number {
  let count = 0;
  for (let removed = 0; removed <= reach; removed++) count += choose(players, removed);
  return count;
}
