import { item } from "../../arrays.ts";
import type { Constraint } from "../budget.ts";

/**
 * The slope of the expected loss in the keep-probabilities, each entry divided by the deviation of its mask
 * (the root is a preconditioner): 1/(K - 1) sum_k (loss_k - baseline)(m_ki - s_i) / sqrt(s_i (1 - s_i)).
 */
export function policyGradient(
  masks: readonly (readonly number[])[],
  losses: readonly number[],
  baseline: number,
  keep: readonly number[],
): number[] {
  return keep.map((s, i) => {
    const sum = masks.reduce(
      (total, mask, k) => total + (item(losses, k) - baseline) * (item(mask, i) - s),
      0,
    );
    return sum / (masks.length - 1) / Math.sqrt(s * (1 - s));
  });
}

/**
 * The nearest probabilities whose expected cost meets the budget: clip(s - v costs, 0, 1) for the v, found by
 * bisection, at which it does. Constraints are met in turn, so those that share players only nearly.
 */
export function projectToBudget(
  keep: readonly number[],
  candidates: readonly number[],
  constraints: readonly Constraint[],
): number[] {
  let projected = [...keep];
  for (const constraint of constraints) {
    const costs = candidates.map((player) => item(constraint.costs, player));
    const all = costs.reduce((sum, cost) => sum + cost, 0);
    projected = meet(projected, costs, all - constraint.amount);
  }
  return projected;
}

function meet(keep: readonly number[], costs: readonly number[], kept: number): number[] {
  const most = Math.max(...costs);
  // Costs relative to the greatest, so that the bisection's range does not depend on their unit.
  const relative = costs.map((cost) => cost / most);
  const at = (v: number) =>
    keep.map((s, i) => (item(costs, i) > 0 ? Math.min(1, Math.max(0, s - v * item(relative, i))) : s));
  const excess = (v: number) => at(v).reduce((sum, s, i) => sum + s * item(relative, i), 0) - kept / most;
  // A probability is at most 1 away from where it goes, over the least relative cost.
  const least = Math.min(...relative.filter((cost) => cost > 0));
  const reach = (1 + Math.max(...keep.map(Math.abs))) / least;
  let [low, high] = [-reach, reach];
  for (let halving = 0; halving < 200 && high > low; halving++) {
    const middle = (low + high) / 2;
    if (excess(middle) > 0) low = middle;
    else high = middle;
  }
  return at((low + high) / 2);
}
