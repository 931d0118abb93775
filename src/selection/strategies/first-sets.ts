import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import type { SearchRun } from "../run.ts";
import { shuffled } from "./random.ts";

/** The part of what is left to spend that they take, where single removals do not take more. */
const share = 0.3;
/** Single removals may take up to this part. */
const mostOfSingles = 0.6;

/**
 * What a model of the game, of the cheapest where there are several, learns from first: the sets to start
 * from, every single removal where they leave enough to go on with, and random beginnings of choices, of two
 * players to all of them. Every second one crosses the sets to start from: it removes what one of them does.
 */
export function firstSets(run: SearchRun, random: Random): Coalition[] {
  const { space } = run;
  const looks = run.remaining / item([...run.weights, 1], 0);
  const wanted = Math.max(1, share * looks);
  const found = new Map<string, Coalition>();
  const add = (removed: readonly number[]) => {
    const kept = space.keeping(removed);
    found.set(kept.key, kept);
  };
  for (const set of run.start) add(set);
  if (space.candidates.length <= mostOfSingles * looks) {
    for (const player of space.candidates) add([player]);
  }
  const started = new Set(run.start.flat());
  for (let tries = 0; found.size < wanted && tries < 20 * wanted; tries++) {
    const order = shuffled(space.candidates, random);
    const first = tries % 2 === 0 ? order.filter((player) => started.has(player)) : [];
    const rest = order.filter((player) => !first.includes(player));
    const choice = shuffled(space.complete([], [...first, ...rest]), random);
    const sizes = Math.max(1, choice.length - 1);
    add(choice.slice(0, choice.length - (tries % sizes)));
  }
  return [...found.values()];
}
