import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import { best, type SearchRun } from "../run.ts";
import type { Strategy } from "../strategy.ts";

/** The best of some random sets; one set is the control that every method must beat. */
export function random(sets: number): Strategy {
  return {
    async search(run) {
      const drawn = randomChoices(run, run.random("sets"), sets);
      const chosen = best(drawn, await run.evaluate(drawn));
      run.step(drawn, chosen);
      return chosen.absent();
    },
  };
}

/** Random choices, no two alike; fewer where there are no more to be found. */
export function randomChoices({ space }: SearchRun, random: Random, count: number): Coalition[] {
  const found = new Map<string, Coalition>();
  for (let tries = 0; found.size < count && tries < 20 * count; tries++) {
    const kept = space.keeping(space.complete([], shuffled(space.candidates, random)));
    found.set(kept.key, kept);
  }
  return [...found.values()];
}

export function shuffled(players: readonly number[], random: Random): number[] {
  return random.permutation(players.length).map((at) => item(players, at));
}
