import { item } from "../../arrays.ts";
import { type Constraint, sumOf } from "../budget.ts";
import type { ScoresAt } from "../scores.ts";
import type { Strategy } from "../strategy.ts";

/** A set of the first players, by what it has removed under each constraint. */
interface State {
  readonly sums: readonly number[];
  readonly score: number;
  /** The player that was added last, and what it was added to. */
  readonly player: number;
  readonly before: State | undefined;
}

/**
 * The set of least total score that meets the budget, exactly: a knapsack over additive scores (as Shapley
 * values, or leave-one-out where nothing else is given) and measured costs. Scores below 0 say that a model
 * is better without the player; under a budget of costs such a player goes even where the budget has no need
 * of it.
 */
export function knapsack(scoresAt: ScoresAt): Strategy {
  return {
    async search(run) {
      const { candidates, constraints } = run.space;
      return leastScore(candidates, await scoresAt(run, []), constraints);
    },
  };
}

/**
 * By states that no other dominates (Nemhauser and Ullmann, 1969): one that has removed at least as much for
 * no greater score makes another needless. Sums beyond what a budget asks for count as just enough, and a
 * count that is to be met exactly is compared for equality.
 */
export function leastScore(
  candidates: readonly number[],
  scores: readonly number[],
  constraints: readonly Constraint[],
): number[] {
  let states: State[] = [{ sums: constraints.map(() => 0), score: 0, player: -1, before: undefined }];
  for (const [at, player] of candidates.entries()) {
    const later = constraints.map((constraint) => sumOf(constraint, candidates.slice(at + 1)));
    const taken = states.flatMap((state) => take(state, player, item(scores, player), constraints));
    const reachable = [...states, ...taken].filter(({ sums }) =>
      constraints.every(({ amount }, c) => item(sums, c) + item(later, c) >= amount * (1 - 1e-12)),
    );
    states = undominated(reachable, constraints);
  }
  const removed: number[] = [];
  for (let state = states[0]; state?.before !== undefined; state = state.before) removed.push(state.player);
  return removed.reverse();
}

function take(before: State, player: number, score: number, constraints: readonly Constraint[]): State[] {
  const sums = constraints.map(({ costs }, c) => item(before.sums, c) + item(costs, player));
  const tooMany = constraints.some(({ exact, amount }, c) => exact && item(sums, c) > amount);
  if (tooMany) return [];
  const capped = sums.map((sum, c) => Math.min(sum, item(constraints, c).amount));
  return [{ sums: capped, score: before.score + score, player, before }];
}

/** Sorted by score, so that a state is dominated only by one before it. */
function undominated(states: readonly State[], constraints: readonly Constraint[]): State[] {
  const kept: State[] = [];
  for (const state of [...states].sort((a, b) => a.score - b.score)) {
    const dominates = (other: State) =>
      constraints.every(({ exact }, c) =>
        exact ? item(other.sums, c) === item(state.sums, c) : item(other.sums, c) >= item(state.sums, c),
      );
    if (!kept.some(dominates)) kept.push(state);
  }
  return kept;
}
