import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { best } from "../run.ts";
import type { SearchSpace } from "../space.ts";
import type { Strategy } from "../strategy.ts";

/**
 * A run of neighbours, the shortest from its start that meets the budget: the one whose ends are nearest
 * (`distances[n - 1][l]` across the n players from player l: by angle, arXiv 2403.17887, or cosine, arXiv
 * 2403.19135), or without distances the one that the game values most.
 */
export function span(distances: readonly (readonly number[])[] | undefined): Strategy {
  return {
    async search(run) {
      const runs = runsOf(run.space);
      if (distances !== undefined) {
        const lengths = runs.map((one) => distanceOf(distances, one));
        return item(runs, lengths.indexOf(Math.min(...lengths)));
      }
      const sets = runs.map((one) => run.space.keeping(one));
      const chosen = best(sets, await run.evaluate(sets));
      run.step(sets, chosen);
      return chosen.absent();
    },
  };
}

/** From each player on the shortest run that meets the budget, where there is one. */
function runsOf(space: SearchSpace): number[][] {
  const runs = space.candidates.flatMap((start) => {
    const run: number[] = [];
    for (let player = start; space.candidates.includes(player); player++) {
      run.push(player);
      if (space.isMet(run)) return space.isChoice(run) ? [run] : [];
    }
    return [];
  });
  if (runs.length > 0) return runs;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Searching by "span": no run of neighbours among the ${space.candidates.length} candidates meets the ` +
      `budget. Ask for less or for one kind, and leave no gaps in the candidates.`,
  );
}

function distanceOf(distances: readonly (readonly number[])[], run: readonly number[]): number {
  const distance = distances[run.length - 1]?.[item(run, 0)];
  if (distance !== undefined && Number.isFinite(distance)) return distance;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Searching by "span": the distance across ${run.length} players from player ${run[0]} is ${distance}; ` +
      `distances[n - 1][l] must be a number for every run of n players from player l.`,
  );
}
