import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import { best, type SearchRun } from "../run.ts";
import type { Strategy } from "../strategy.ts";
import { exchange } from "./exchange.ts";
import { takeBack } from "./greedy.ts";

/**
 * Greedy with several sets at a time: each round extends all of them by every player, and the `width` best go
 * on. What is left to spend then goes to exchanges of one player of the best set for another.
 */
export function beam(width: number | undefined): Strategy {
  return {
    async search(run) {
      const { space } = run;
      const most = width ?? widthFor(run);
      let front: (readonly number[])[] = [[]];
      const finished = run.start.map((set) => space.keeping(space.complete(set, space.candidates)));
      await run.evaluate(finished);
      while (front.length > 0) {
        const extended = front.flatMap((set) => space.extensions(set).map((player) => [...set, player]));
        const found = unique(extended.map((set) => space.keeping(set)));
        if (found.length === 0) break;
        const sets = await run.narrow(found, most);
        const values = await run.evaluate(sets);
        run.step(sets, best(sets, values));
        const first = sets
          .map((set, at) => ({ set, value: item(values, at) }))
          .sort((a, b) => b.value - a.value || (a.set.key < b.set.key ? -1 : 1))
          .slice(0, most)
          .map(({ set }) => set);
        finished.push(...first.filter((set) => space.isMet(set.absent())));
        front = first.map((set) => set.absent()).filter((set) => !space.isMet(set));
      }
      const chosen = best(
        finished,
        finished.map((set) => run.valueOf(set)),
      );
      return exchange(run, await takeBack(run, chosen.absent()));
    },
  };
}

/** The widest beam that leaves a third of the evaluations to exchanges; 4 where they have no limit. */
function widthFor(run: SearchRun): number {
  if (!Number.isFinite(run.limit)) return 4;
  const candidates = run.space.candidates.length;
  let later = 0;
  for (let gone = 1; gone < run.space.mostRemoved; gone++) later += candidates - gone;
  return later === 0 ? 1 : Math.max(1, Math.floor(((2 / 3) * run.remaining - candidates) / later));
}

function unique(sets: readonly Coalition[]): Coalition[] {
  return [...new Map(sets.map((set) => [set.key, set])).values()];
}
