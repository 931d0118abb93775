import { item } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import type { ArchivedSet } from "./archive.ts";
import type { Finalists } from "./finalists.ts";
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
  /** Of its value: `screen` where the game searched is only near the one whose values count. */
  readonly precision: "exact" | "screen";
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
  /** Where the best sets were scored again exactly: what that showed; else null. */
  readonly finalists: FinalistsResult<Player> | null;
  /**
   * The best sets by number of removed players, best first: what another search may start from. Values are
   * those of the game searched, screened ones where the trace's are.
   */
  readonly archive: Readonly<Record<number, readonly ArchivedSet<Player>[]>>;
}

/** The best sets of a search over a game that is only near the one whose values count. */
export interface FinalistsResult<Player extends string = string> {
  /** Best first by their exact values. */
  readonly sets: readonly (ArchivedSet<Player> & { readonly screened: number })[];
  /** How far the screened values of two of these sets erred from each other. */
  readonly error: number;
  /** Whether a set that was not scored again may be as good as the choice, by that error. */
  readonly open: boolean;
}

function finalistsOf<Player extends string>(
  players: readonly Player[],
  run: SearchRun,
  { sets, ledger, error, open }: Finalists,
): FinalistsResult<Player> {
  const scored = sets.map((set) => ({
    removed: set.absent().map((player) => item(players, player)),
    value: ledger.valueOf(set),
    screened: run.valueOf(set),
  }));
  return { sets: scored.sort((a, b) => b.value - a.value), error, open };
}

interface Facts {
  readonly strategy: StrategyName;
  readonly seed: number;
  readonly valueName: string;
  /** What the strategy chose. */
  readonly kept: Coalition;
  readonly finalists: Finalists | undefined;
}

export function resultOf<Player extends string>(
  players: readonly Player[],
  run: SearchRun,
  { kept: chosen, finalists, ...rest }: Facts,
): SearchResult<Player> {
  const absent = (set: Coalition) => set.absent().map((player) => item(players, player));
  const kept = finalists?.kept ?? chosen;
  const precision: TraceStep["precision"] = finalists === undefined ? "exact" : "screen";
  const evaluations = run.evaluations + (finalists?.ledger.evaluated ?? 0);
  const cost = run.cost + (finalists?.ledger.cost ?? 0);
  const value = (finalists?.ledger ?? run.top).valueOf(kept);
  const settled = { tried: finalists?.sets ?? [], kept, value, evaluations, cost };
  const last = finalists === undefined ? [] : [{ ...settled, precision: "exact" as const }];
  return {
    ...rest,
    removed: absent(kept),
    kept: [...kept].map((player) => item(players, player)),
    value,
    trace: [...run.steps.map((step) => ({ ...step, precision })), ...last].map(
      ({ tried, kept: settled, ...step }) => ({
        tried: tried.map(absent),
        removed: absent(settled),
        ...step,
      }),
    ),
    evaluations,
    cost,
    untried: run.space.candidates
      .filter((player) => !run.tried.has(player))
      .map((player) => item(players, player)),
    finalists: finalists === undefined ? null : finalistsOf(players, run, finalists),
    archive: run.archive.list(players),
  };
}
