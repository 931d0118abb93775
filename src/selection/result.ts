import { item } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import type { ArchivedSet } from "./archive.ts";
import type { SearchRun } from "./run.ts";
import type { StrategyName } from "./strategy-choice.ts";

/** One step of a search: what it looked at, and what it settled on. */
export interface TraceStep<Player extends string = string> {
  /** What this step looked at, by the players that were gone. */
  readonly tried: readonly (readonly Player[])[];
  /** What it settled on. */
  readonly removed: readonly Player[];
  /** What that is worth in the game. */
  readonly value: number;
  /** Evaluations and block evaluations so far. */
  readonly evaluations: number;
  readonly cost: number;
}

/** What a search chose, and how it came to it. */
export interface SearchResult<Player extends string = string> {
  readonly strategy: StrategyName;
  readonly seed: number;
  /** By depth. */
  readonly removed: readonly Player[];
  readonly kept: readonly Player[];
  /** The name of the value that decided, and what the choice is worth by it. */
  readonly valueName: string;
  readonly value: number;
  readonly trace: readonly TraceStep<Player>[];
  /** Distinct sets evaluated, one of a cheaper game counting its weight; known ones count. */
  readonly evaluations: number;
  /** Block evaluations, as the games price them; 0 where they do not. */
  readonly cost: number;
  /** Candidates that were part of no evaluated set. */
  readonly untried: readonly Player[];
  /** The best sets by number of removed players, best first: what another search may start from. */
  readonly archive: Readonly<Record<number, readonly ArchivedSet<Player>[]>>;
}

export function resultOf<Player extends string>(
  players: readonly Player[],
  run: SearchRun,
  facts: { strategy: StrategyName; seed: number; valueName: string; kept: Coalition },
): SearchResult<Player> {
  const { kept, ...rest } = facts;
  const absent = (set: Coalition) => set.absent().map((player) => item(players, player));
  return {
    ...rest,
    removed: absent(kept),
    kept: [...kept].map((player) => item(players, player)),
    value: run.valueOf(kept),
    trace: run.steps.map(({ tried, kept: settled, ...step }) => ({
      tried: tried.map(absent),
      removed: absent(settled),
      ...step,
    })),
    evaluations: run.evaluations,
    cost: run.cost,
    untried: run.space.candidates
      .filter((player) => !run.tried.has(player))
      .map((player) => item(players, player)),
    archive: run.archive.list(players),
  };
}
