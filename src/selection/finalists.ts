import { item } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import type { Ledger } from "./ledger.ts";
import { best, type SearchRun } from "./run.ts";

/** The best sets of a search by values that are only near the true ones, scored by those. */
export interface Finalists {
  readonly sets: readonly Coalition[];
  /** The best of them. */
  readonly kept: Coalition;
  /** What they are worth. */
  readonly ledger: Ledger;
  /** How far what was searched by and the true values can stand apart, a shift of all aside. */
  readonly error: number;
  /** Whether sets that were left out may be as good. */
  readonly open: boolean;
}

/** So many are scored whatever their values are: of fewer there is no error to go by. */
export const fewestFinalists = 3;
/** The range of three errors, times this, is more than two standard deviations of a difference between two. */
const margin = 2;

/**
 * Scores the choice of a search by the exact game, and beside it the other sets of its size in the archive
 * that may be as good, where the strategy chose the best of them; the best by the exact game is the choice.
 */
export async function scoreFinalists(run: SearchRun, chosen: Coalition, exact: Ledger): Promise<Finalists> {
  const near = (set: Coalition) => run.valueOf(set);
  const known = run.archive
    .ofSize(chosen.players - chosen.size)
    .filter((set) => run.space.isChoice(set.absent()));
  // What a strategy chose by something else than its value, a tail or a ranking, has no runners-up.
  const others = known.filter((set) => near(set) <= near(chosen) && !set.equals(chosen));
  const isBest = !known.some((set) => near(set) > near(chosen));
  const sets = isBest ? [chosen, ...others] : [chosen];
  let scored: readonly Coalition[] = [];
  let error = 0;
  let next = sets.slice(0, fewestFinalists);
  while (next.length > 0) {
    await exact.evaluate(next, run.signal, () => {});
    scored = [...scored, ...next];
    const errors = scored.map((set) => near(set) - exact.valueOf(set));
    error = Math.max(...errors) - Math.min(...errors);
    const reach = margin * error;
    next = sets.slice(scored.length).filter((set) => near(chosen) - near(set) <= reach);
  }
  const values = scored.map((set) => exact.valueOf(set));
  const all = scored.length === sets.length && known.length === run.archive.depth;
  const last = item(sets, sets.length - 1);
  const open = isBest && all && near(chosen) - near(last) <= error;
  return { sets: scored, kept: best(scored, values), ledger: exact, error, open };
}
