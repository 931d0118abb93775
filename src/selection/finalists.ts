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

/**
 * Scores the choice of a search by the exact game, and beside it the other sets of its size in the archive,
 * where the strategy chose the best of them; the best by the exact game is the choice.
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
  await exact.evaluate(sets, run.signal, () => {});
  const values = sets.map((set) => exact.valueOf(set));
  const errors = sets.map((set) => near(set) - exact.valueOf(set));
  const error = Math.max(...errors) - Math.min(...errors);
  const last = item(sets, sets.length - 1);
  const open = isBest && known.length === run.archive.depth && near(chosen) - near(last) <= error;
  return { sets, kept: best(sets, values), ledger: exact, error, open };
}
