import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { aNumber, aString, aWhole, type Checks, checkOptions, listOf, required } from "../options.ts";
import { lowest } from "./rank.ts";

/** The same choice over draws of text: what each chose, or what it scored and how many of the lowest go. */
export interface ChoiceDraws<Player extends string = string> {
  /** Who could have been chosen. */
  readonly players: readonly Player[];
  /** What went, a set per draw; this or `scores`. */
  readonly choices?: readonly (readonly Player[])[] | undefined;
  /** A score per player, a list per draw; the `lowest` of each are its choice. */
  readonly scores?: readonly (readonly number[])[] | undefined;
  readonly lowest?: number | undefined;
  /** What each draw's choice was worth on text that it had not seen. */
  readonly results?: readonly number[] | undefined;
}

/** How often a player was chosen over draws of the text. */
export interface PlayerCertainty<Player extends string = string> {
  readonly player: Player;
  /** In how many draws it was chosen. */
  readonly times: number;
  readonly share: number;
  /** Of the share, at 95% (Wilson's), draws being independent. */
  readonly interval: readonly [number, number];
}

/** How far draws of the text agree on a choice. */
export interface ChoiceCertainty<Player extends string = string> {
  readonly draws: number;
  /** Of every player, the most often chosen first. */
  readonly players: readonly PlayerCertainty<Player>[];
  /**
   * The share that two draws' choices have in common: over all pairs of draws, and where choices are blind.
   */
  readonly overlap: { readonly mean: number; readonly least: number; readonly byChance: number };
  /** Of the results, where they were given: their mean and standard deviation over draws. */
  readonly results: { readonly mean: number; readonly deviation: number } | null;
}

const drawChecks: Checks<ChoiceDraws> = {
  players: required(listOf(aString, 1)),
  choices: listOf(listOf(aString)),
  scores: listOf(listOf(aNumber)),
  lowest: aWhole(1),
  results: listOf(aNumber),
};

/** How much of a choice is the text's and how much the draw's (arXiv 2604.24938). */
export function choiceCertainty<Player extends string>(draws: ChoiceDraws<Player>): ChoiceCertainty<Player> {
  checkOptions("choiceCertainty", draws, drawChecks);
  const { players, results } = draws;
  const choices = choicesOf(draws);
  if (choices.length < 2) refuse(`got ${choices.length} draws; two or more can be compared`);
  const stranger = choices.flat().find((player) => !players.includes(player));
  if (stranger !== undefined) refuse(`a draw chose "${stranger}", which is none of the players`);
  if (results !== undefined && results.length !== choices.length) {
    refuse(`got ${results.length} results of ${choices.length} draws; give one per draw`);
  }
  const sets = choices.map((choice) => new Set<string>(choice));
  const overlaps = sets.flatMap((one, at) => sets.slice(at + 1).map((other) => inCommon(one, other)));
  const sizes = choices.map((choice) => choice.length);
  return {
    draws: choices.length,
    players: players
      .map((player) => certaintyOf(player, choices))
      .sort((a, b) => b.times - a.times || players.indexOf(a.player) - players.indexOf(b.player)),
    overlap: {
      mean: meanOf(overlaps),
      least: overlaps.reduce((a, b) => Math.min(a, b)),
      byChance: meanOf(sizes) / players.length,
    },
    results: results === undefined ? null : { mean: meanOf(results), deviation: deviationOf(results) },
  };
}

function choicesOf<Player extends string>(draws: ChoiceDraws<Player>): readonly (readonly Player[])[] {
  const { players, choices, scores, lowest: count } = draws;
  if (choices !== undefined && scores === undefined) return choices;
  if (choices !== undefined || scores === undefined || count === undefined) {
    refuse("give either `choices`, or `scores` with how many of the `lowest` go");
  }
  return scores.map((draw) => {
    const bad = draw.find((score) => !Number.isFinite(score));
    if (draw.length !== players.length || bad !== undefined) {
      refuse(
        `a draw has ${draw.length} scores, ${bad ?? "all finite"}; it needs ${players.length} finite ones`,
      );
    }
    return lowest(draw, count).map((place) => item(players, place));
  });
}

function certaintyOf<Player extends string>(
  player: Player,
  choices: readonly (readonly Player[])[],
): PlayerCertainty<Player> {
  const times = choices.filter((choice) => choice.includes(player)).length;
  const n = choices.length;
  const share = times / n;
  const z = 1.959963984540054;
  const middle = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return { player, times, share, interval: [Math.max(0, middle - half), Math.min(1, middle + half)] };
}

function inCommon<T>(one: ReadonlySet<T>, other: ReadonlySet<T>): number {
  const most = Math.max(one.size, other.size);
  return most === 0 ? 1 : [...one].filter((member) => other.has(member)).length / most;
}

export function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** The standard deviation of what the numbers are a sample of. */
export function deviationOf(numbers: readonly number[]): number {
  const mean = meanOf(numbers);
  const squares = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0);
  return Math.sqrt(squares / (numbers.length - 1));
}

/** How much larger the first numbers are than the second, two by two, with the standard error of the mean. */
export function pairedDifference(
  first: readonly number[],
  second: readonly number[],
): { readonly mean: number; readonly standardError: number } {
  const differences = first.map((number, at) => number - item(second, at));
  return {
    mean: meanOf(differences),
    standardError: deviationOf(differences) / Math.sqrt(differences.length),
  };
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Judging how sure a choice is: ${why}.`);
}
