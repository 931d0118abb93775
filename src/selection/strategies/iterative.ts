import { byScore, type ScoresAt } from "../scores.ts";
import type { Strategy } from "../strategy.ts";

/** The lowest of a ranking that is measured again after every `step` removals. */
export function iterative(scoresAt: ScoresAt, step: number): Strategy {
  return {
    async search(run) {
      const { space } = run;
      let removed: number[] = [];
      while (!space.isMet(removed)) {
        const scores = await scoresAt(run, removed);
        for (let gone = 0; gone < step; gone++) {
          const [next] = byScore(space.extensions(removed), scores);
          if (next === undefined) break;
          removed = [...removed, next];
        }
      }
      // Of what has become needless the last that went comes back first.
      return space.complete(removed, removed);
    },
  };
}
