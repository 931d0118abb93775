import { byScore, type ScoresAt } from "../scores.ts";
import type { Strategy } from "../strategy.ts";

/** The lowest of one ranking, measured once. */
export function lowestScores(scoresAt: ScoresAt): Strategy {
  return {
    async search(run) {
      const scores = await scoresAt(run, []);
      return run.space.complete([], byScore(run.space.candidates, scores));
    },
  };
}
