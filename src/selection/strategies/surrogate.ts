import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import { fitSurrogate } from "../../shapley/surrogate/fit.ts";
import type { Surrogate } from "../../shapley/surrogate/surrogate.ts";
import { type Known, narrowedCost, type SearchRun } from "../run.ts";
import type { SearchSpace } from "../space.ts";
import type { Strategy } from "../strategy.ts";
import { firstSets } from "./first-sets.ts";
import { predictedBest } from "./predicted-best.ts";

export interface SurrogateSettings {
  /** Look for the best set of every size up to the asked one, which the archive then holds. */
  readonly everySize: boolean;
  /** Values below this say nothing more: that of a network no better than a uniform guess. */
  readonly floor: number;
}

/** How often the model is fitted anew, about. */
const fits = 24;

/**
 * The estimators' own Gaussian process asked for the best set: it is fitted to the game without each player,
 * then again and again to what it proposed, the choices it values most. Values are capped, so that broken
 * networks do not bend it. Where there are cheaper games, the first sets meet the cheapest alone, and of what
 * is proposed half goes on from each game to the next.
 */
export function surrogate({ everySize, floor }: SurrogateSettings): Strategy {
  return {
    async search(run) {
      const { space } = run;
      run.require(2);
      const random = run.random("sets");
      const asked = everySize ? space.smaller() : [space];
      await run.evaluate(run.affordable(firstSets(run, random), 0, oneMore(run)), 0);
      // Only those to start from that may be the answer go on from there.
      const starts = run.start.filter((set) => space.isChoice(set)).map((set) => space.keeping(set));
      for (let level = 1; level < run.levels; level++) {
        await run.evaluate(run.affordable(starts, level, oneMore(run)), level);
      }
      const batch = Math.ceil(run.remaining / oneMore(run) / fits / asked.length);
      while (run.remaining >= 1) {
        const model = fitTo(run.known(), floor);
        const proposed = mostGain(model, asked, run.top.best(), random, batch * 2 ** (run.levels - 1));
        const through = await run.narrow(payable(run, proposed, batch), batch);
        await run.evaluate(through);
        if (through.length === 0) break;
        const chosen = bestChoice(run.top.best(), space);
        if (chosen !== undefined) run.step(through, chosen);
      }
      const chosen = bestChoice(run.top.best(), space);
      if (chosen === undefined) run.require(run.remaining + 1);
      return chosen?.absent() ?? [];
    },
  };
}

/** The proposals of the size where the model sees most to gain above the best known choice. */
function mostGain(
  model: Surrogate,
  sizes: readonly SearchSpace[],
  known: readonly Coalition[],
  random: Random,
  count: number,
): Coalition[] {
  let most: { proposed: Coalition[]; gain: number } = { proposed: [], gain: Number.NEGATIVE_INFINITY };
  for (const space of sizes) {
    const proposed = predictedBest({ space, model, known, random }, count);
    const [first] = proposed;
    if (first === undefined) continue;
    const best = bestChoice(known, space);
    const gain = best === undefined ? Number.POSITIVE_INFINITY : model.predict(first) - model.predict(best);
    if (gain > most.gain) most = { proposed, gain };
  }
  return most.proposed;
}

const bestChoice = (known: readonly Coalition[], space: SearchSpace) =>
  known.find((set) => space.isChoice(set.absent()));

/** What a set costs that goes through all games. */
const oneMore = (run: SearchRun) => narrowedCost(1, 1, run.weights);

/** The leading sets that can be paid for, where `least` of them reach the game itself. */
function payable(run: SearchRun, sets: readonly Coalition[], least: number): Coalition[] {
  let count = sets.length;
  while (count > 0 && narrowedCost(count, least, run.weights) > run.remaining + 1e-9) count--;
  return sets.slice(0, count);
}

/** The hyperparameters are fitted to the first ones, so to the best: there the model must be right. */
function fitTo(known: readonly Known[], floor: number): Surrogate {
  const values = Float64Array.from(known, ({ value }) => Math.max(floor, value));
  const sets = known.map(({ set }) => set);
  return fitSurrogate(sets, values);
}
