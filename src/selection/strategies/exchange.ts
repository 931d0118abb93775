import { item } from "../../arrays.ts";
import { best, type SearchRun } from "../run.ts";
import { worthOf } from "./mutate.ts";

/** Exchanges looked at together. */
const batch = 8;

/**
 * Exchanges one player of a choice for another until no exchange is better or nothing is left to spend. The
 * exchanges go first whose players have done well in the sets that are known.
 */
export async function exchange(run: SearchRun, removed: readonly number[]): Promise<readonly number[]> {
  const { space } = run;
  let chosen = space.keeping(removed);
  await run.evaluate([chosen]);
  for (;;) {
    const known = run.top.best().filter((set) => space.isMet(set.absent()));
    const worth = worthOf(space.players, known);
    const promise = (set: readonly number[]) => set.reduce((sum, player) => sum + item(worth, player), 0);
    const exchanges = space
      .exchanges(chosen.absent())
      .sort((a, b) => promise(b) - promise(a))
      .map((set) => space.keeping(set));
    let better = chosen;
    for (let at = 0; at < exchanges.length && better === chosen; at += batch) {
      const tried = run.affordable(exchanges.slice(at, at + batch));
      better = best([chosen, ...tried], await run.evaluate([chosen, ...tried]));
      if (better !== chosen) run.step(tried, better);
    }
    if (better === chosen) return chosen.absent();
    chosen = better;
  }
}
