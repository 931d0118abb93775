import type { SearchRun } from "./run.ts";

/** One way to choose. */
export interface Strategy {
  /** The players to remove: a choice of the run's space. */
  search(run: SearchRun): Promise<readonly number[]>;
}
