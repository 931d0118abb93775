import type { Coalition } from "../../game/coalition.ts";
import { fitSurrogate } from "../../shapley/surrogate/fit.ts";
import type { SearchRun } from "../run.ts";
import type { Strategy } from "../strategy.ts";
import { firstSets } from "./first-sets.ts";
import { predictedBest } from "./predicted-best.ts";

export interface SurrogateSettings {
  /** Look for the best set of every size up to the asked one, which the archive then holds. */
  readonly everySize: boolean;
  /** Values below this say nothing more: that of a network no better than a uniform guess. */
  readonly floor: number;
}

/** The part of the evaluations that the first sets take, where single removals do not take more. */
const first = 0.3;
/** How often the model is fitted anew, about. */
const fits = 24;

/**
 * The estimators' own Gaussian process asked for the best set: it is fitted to the game without each player,
 * then again and again to what it proposed, the choices it values most. Values are capped, so that broken
 * networks do not bend it.
 */
export function surrogate({ everySize, floor }: SurrogateSettings): Strategy {
  return {
    async search(run) {
      const { space } = run;
      run.require(2);
      const random = run.random("sets");
      const asked = everySize ? space.smaller() : [space];
      const begin = run.affordable(firstSets(run, random, Math.max(1, first * run.remaining)));
      await run.evaluate(begin);
      let known = bestFirst(run, begin);
      const batch = Math.ceil(run.remaining / fits / asked.length);
      while (run.remaining >= 1) {
        // The hyperparameters are fitted to the first ones, so to the best: there the model must be right.
        const values = Float64Array.from(known, (set) => Math.max(floor, run.valueOf(set)));
        const model = fitSurrogate(known, values);
        const proposed = asked.flatMap((one) => predictedBest({ space: one, model, known, random }, batch));
        const affordable = run.affordable(proposed);
        if (affordable.length === 0) break;
        await run.evaluate(affordable);
        known = bestFirst(run, [...known, ...affordable]);
        const chosen = known.find((set) => space.isChoice(set.absent()));
        if (chosen !== undefined) run.step(affordable, chosen);
      }
      const chosen = known.find((set) => space.isChoice(set.absent()));
      if (chosen === undefined) run.require(run.remaining + 1);
      return chosen?.absent() ?? [];
    },
  };
}

function bestFirst(run: SearchRun, sets: readonly Coalition[]): Coalition[] {
  return [...sets].sort((a, b) => run.valueOf(b) - run.valueOf(a) || (a.key < b.key ? -1 : 1));
}
