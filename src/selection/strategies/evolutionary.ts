import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import type { SearchRun } from "../run.ts";
import type { Strategy } from "../strategy.ts";
import { mutate, worthOf } from "./mutate.ts";
import { randomChoices, shuffled } from "./random.ts";

export interface EvolutionSettings {
  /** Sets that breed. */
  readonly parents: number;
  /** New sets a generation, before the cheaper games let some of them through. */
  readonly offspring: number;
}

/** The part of the evaluations that the first, random generation takes. */
const first = 0.1;
/** Of each generation the part that a cheaper game lets through to the next one. */
const passing = 1 / 4;

/**
 * EvoPress (arXiv 2410.14649): in offspring a player of the parent stays and another goes in its place, and
 * the best survive. Where there are cheaper games, with less text, offspring meet them first, and a quarter
 * of them goes on to each next one. Unlike there, several parents breed, no set is evaluated twice, and who
 * is exchanged is drawn by how the sets that lack it have done: a single parent with blind exchanges ends in
 * a local optimum in half the runs on games small enough to know.
 */
export function evolutionary({ parents, offspring }: EvolutionSettings): Strategy {
  return {
    async search(run) {
      const random = run.random("offspring");
      const seen = new Set<string>();
      const survivors: Coalition[] = [];
      const start = run.start.map((set) =>
        run.space.keeping(run.space.complete(set, shuffled(run.space.candidates, random))),
      );
      const drawn = randomChoices(run, random, Math.max(parents, Math.round(first * run.remaining)));
      let generation = [...start, ...drawn];
      run.require(1);
      for (;;) {
        const fresh = generation.filter(({ key }) => !seen.has(key));
        const through = await select(run, fresh);
        if (through.length === 0) break;
        for (const { key } of fresh) seen.add(key);
        survivors.push(...through);
        survivors.sort((a, b) => run.valueOf(b) - run.valueOf(a) || (a.key < b.key ? -1 : 1));
        run.step(through, item(survivors, 0));
        generation = breed(run, { survivors, seen, random, parents, offspring });
      }
      return item(survivors, 0).absent();
    },
  };
}

/** Those of a generation that come through all games, as many as can be paid for. */
async function select(run: SearchRun, generation: readonly Coalition[]): Promise<readonly Coalition[]> {
  let through = generation;
  for (let level = 0; level < run.levels - 1; level++) {
    // What goes on to the game itself must be payable too.
    if (run.remaining < 1) return [];
    through = run.affordable(through, level, 1);
    const values = await run.evaluate(through, level);
    const order = [...through.keys()].sort((a, b) => item(values, b) - item(values, a) || a - b);
    through = order.slice(0, Math.ceil(passing * through.length)).map((at) => item(through, at));
  }
  const top = run.affordable(through);
  await run.evaluate(top);
  return top;
}

interface Brood extends EvolutionSettings {
  /** Best first. */
  readonly survivors: readonly Coalition[];
  readonly seen: ReadonlySet<string>;
  readonly random: Random;
}

function breed(run: SearchRun, { survivors, seen, random, parents, offspring }: Brood): Coalition[] {
  const worth = worthOf(run.space.players, survivors);
  const found = new Map<string, Coalition>();
  for (let tries = 0; found.size < offspring && tries < 20 * offspring; tries++) {
    // The better the parent, the more offspring.
    const rank = Math.floor(Math.min(parents, survivors.length) * random.uniform() ** 2);
    let child = item(survivors, rank).absent();
    const exchanges = random.uniform() < 0.7 ? 1 : 2;
    for (let done = 0; done < exchanges; done++) child = mutate(run.space, child, worth, random);
    const kept = run.space.keeping(child);
    if (!seen.has(kept.key)) found.set(kept.key, kept);
  }
  return [...found.values()];
}
