import { best, narrowedCost, type SearchRun } from "../run.ts";
import type { Strategy } from "../strategy.ts";

/**
 * Removes, again and again, the player without which most is left: SLEB for blocks (arXiv 2402.09025),
 * BlockPruner for sublayers (arXiv 2406.10594), TALE where the value is a task's accuracy (arXiv 2510.22767).
 * Where there are cheaper games, the better half of a round goes on to each next one.
 */
export const greedy: Strategy = {
  async search(run) {
    const { space } = run;
    // With one count the evaluations are known beforehand; else they are refused where they run out.
    if (space.constraints.length === 1 && space.count !== undefined && space.rule === undefined) {
      run.require(greedyEvaluations(space.candidates.length, space.count, run.weights));
    }
    let removed: number[] = [];
    while (!space.isMet(removed)) {
      removed = await bestOf(
        run,
        space.extensions(removed).map((player) => [...removed, player]),
      );
    }
    return takeBack(run, removed);
  },
};

/** Puts back what a budget of costs has no need of, the one whose return is worth most first. */
export async function takeBack(run: SearchRun, removed: readonly number[]): Promise<readonly number[]> {
  let chosen = removed;
  for (;;) {
    const needless = run.space.needless(chosen);
    if (needless.length === 0) return chosen;
    const without = needless.map((player) => chosen.filter((other) => other !== player));
    chosen = await bestOf(run, without);
  }
}

async function bestOf(run: SearchRun, sets: readonly (readonly number[])[]): Promise<number[]> {
  const tried = await run.narrow(
    sets.map((set) => run.space.keeping(set)),
    1,
  );
  const chosen = best(tried, await run.evaluate(tried));
  run.step(tried, chosen);
  return chosen.absent();
}

/** What removing so many of so many candidates evaluates, where cheaper games have these weights. */
export function greedyEvaluations(candidates: number, removals: number, weights: readonly number[]): number {
  let sum = 0;
  for (let gone = 0; gone < removals; gone++) sum += narrowedCost(candidates - gone, 1, weights);
  return sum;
}
