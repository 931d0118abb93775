import { readFileSync } from "node:fs";
import { DepthkitError } from "../errors.ts";
import { aText, checkArgument, isObject } from "../options.ts";
import { parseUnit } from "../protocol/units.ts";

/** What a file says of which units go first. */
export interface RankedFile {
  /** The first to go first. */
  order: readonly string[];
  /**
   * Those the order is by, low going first; null for a list of units. They rank all of their units, so that a
   * count has to say where to stop, where a list of units says it itself.
   */
  scores: Readonly<Record<string, number>> | null;
}

/**
 * Reads an order or scores: an array of units, an object unit -> score (low: remove first), what `toScores`
 * gives, what `influence`, `shapley` and `search` print with `--json`, or the record of a study.
 *
 * @throws DepthkitError INVALID_ARGUMENT, FILE_NOT_FOUND
 */
export function readRanking(file: string): RankedFile {
  checkArgument("readRanking", "file", file, aText);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new DepthkitError(
      "FILE_NOT_FOUND",
      `Reading what to remove from ${file}: ${(error as Error).message}. Check the path.`,
      { cause: error, details: { path: file } },
    );
  }
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw refusal(file, `it is no JSON: ${(error as Error).message}`, error);
  }
  return rankingIn(file, found);
}

/**
 * The same of what has been read, `file` being where it stands.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function rankingIn(file: string, found: unknown): RankedFile {
  if (Array.isArray(found)) return { order: orderOf(file, found), scores: null };
  if (!isObject(found)) throw refusal(file, `it holds ${JSON.stringify(found)}`);
  // What the commands print has the scores beside much else.
  const { scores, search, rankings } = found;
  if (isObject(scores)) return rankingIn(file, scores);
  if (isObject(search)) return rankingIn(file, search["removed"]);
  if (Array.isArray(rankings)) return rankingIn(file, ofStudy(file, rankings.filter(isObject)));
  const named = Object.entries(found);
  if (named.length === 0) throw refusal(file, "it holds nothing");
  for (const [unit, score] of named) {
    checkUnit(file, unit);
    if (!Number.isFinite(score)) throw refusal(file, `the score of ${unit} is ${JSON.stringify(score)}`);
  }
  // Equal scores stay in the file's order.
  const order = [...named].sort(([, a], [, b]) => Number(a) - Number(b)).map(([unit]) => unit);
  return { order, scores: Object.fromEntries(named) as Record<string, number> };
}

/** The scores of a study's ranking, where its record has one. */
function ofStudy(file: string, rankings: readonly Readonly<Record<string, unknown>>[]): unknown {
  const [one, ...others] = rankings.filter(({ scores }) => isObject(scores));
  if (one === undefined) throw refusal(file, "none of the study's rankings has scores");
  if (others.length > 0) {
    const names = [one, ...others].map(({ ranking }) => String(ranking)).join(", ");
    throw refusal(file, `the study has the rankings ${names}, and one is read; write its order to a file`);
  }
  const scores = Object.entries(one["scores"] as Record<string, unknown>);
  return Object.fromEntries(scores.map(([unit, score]) => [unit, isObject(score) ? score["value"] : score]));
}

function orderOf(file: string, found: readonly unknown[]): string[] {
  if (found.length === 0) throw refusal(file, "it holds an empty list");
  const order = found.map((unit) => checkUnit(file, unit));
  const twice = order.find((unit, place) => order.indexOf(unit) !== place);
  if (twice !== undefined) throw refusal(file, `it has ${twice} twice`);
  return order;
}

/** A unit, or a group of them as players of a game are called: `block.3+block.4`. */
function checkUnit(file: string, unit: unknown): string {
  if (typeof unit !== "string") throw refusal(file, `it has ${JSON.stringify(unit)} where a unit would be`);
  try {
    unit.split("+").forEach(parseUnit);
  } catch (error) {
    throw refusal(file, (error as Error).message, error);
  }
  return unit;
}

function refusal(file: string, why: string, cause?: unknown): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `Reading what to remove from ${file}: ${why}. It is an array of units (["block.9", "attention.4"], the ` +
      'first to go first), an object of scores ({"block.9": 0.1}, the lowest to go first), what influence, ' +
      "shapley or search print with --json, or the record of a study.",
    { cause, details: { path: file } },
  );
}
