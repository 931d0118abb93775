import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import type { SearchRun } from "./run.ts";

/** A number per player: in the game's order, by label, or as `toScores()` names them. The lowest go first. */
export type Scores = readonly number[] | Readonly<Record<string, number>> | NamedScores;

/** Scores of players under a name. */
export interface NamedScores {
  /** What was scored. */
  readonly name: string;
  /** By label. */
  readonly scores: Readonly<Record<string, number>>;
}

/** Scores of the players while some are gone; those of the gone are not read. */
export type MeasureScores = (
  removed: readonly string[],
  options: { readonly signal: AbortSignal | undefined },
) => Scores | Promise<Scores>;

export type ScoresAt = (run: SearchRun, removed: readonly number[]) => Promise<readonly number[]>;

/** What the game loses when a player goes beside those that are gone; players that may not go have NaN. */
async function leaveOneOut(run: SearchRun, removed: readonly number[]): Promise<readonly number[]> {
  const { space } = run;
  const left = space.candidates.filter((player) => !removed.includes(player));
  const sets = [space.keeping(removed), ...left.map((player) => space.keeping([...removed, player]))];
  const [with_ = Number.NaN, ...without] = await run.evaluate(sets);
  const scores = new Array<number>(space.players).fill(Number.NaN);
  for (const [at, player] of left.entries()) scores[player] = with_ - item(without, at);
  return scores;
}

/** Reads given scores; without any, leave-one-out in the game itself. */
export function scoresFrom(given: Scores | MeasureScores | undefined, players: readonly string[]): ScoresAt {
  if (given === undefined) return leaveOneOut;
  if (typeof given !== "function") {
    return async (run) => inOrder(given, players, run.space.candidates);
  }
  return async (run, removed) => {
    const labels = removed.map((player) => item(players, player));
    const left = run.space.candidates.filter((player) => !removed.includes(player));
    return inOrder(await given(labels, { signal: run.signal }), players, left);
  };
}

const isList = (scores: Scores): scores is readonly number[] => Array.isArray(scores);

/** A player may be called "scores": its score is a number. */
function byLabel(scores: Exclude<Scores, readonly number[]>): Readonly<Record<string, number>> {
  const { scores: named } = scores as Partial<NamedScores>;
  return typeof named === "object" ? named : (scores as Readonly<Record<string, number>>);
}

function inOrder(scores: Scores, players: readonly string[], needed: readonly number[]): number[] {
  const list = isList(scores) ? scores : players.map((player) => byLabel(scores)[player] ?? Number.NaN);
  if (list.length !== players.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Searching: got ${list.length} scores for ${players.length} players; give one each, or name them.`,
    );
  }
  const missing = needed.find((player) => !Number.isFinite(list[player]));
  if (missing !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Searching: the score of "${players[missing]}" is ${list[missing]}; every candidate needs a finite ` +
        `number. Score it, or leave it out of \`candidates\`.`,
    );
  }
  return [...list];
}

/** Players by their scores, lowest first; equal ones in the game's order. */
export function byScore(players: readonly number[], scores: readonly number[]): number[] {
  return [...players].sort((a, b) => item(scores, a) - item(scores, b) || a - b);
}
