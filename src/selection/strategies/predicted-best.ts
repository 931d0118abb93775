import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import type { Surrogate } from "../../shapley/surrogate/surrogate.ts";
import { choose } from "../../shapley/target.ts";
import type { SearchSpace } from "../space.ts";
import { shuffled } from "./random.ts";

/** So many choices are looked through one by one; where there are more, climbs look at some. */
const listed = 5000;
/** Climbs by exchanges: from the best known choices, and from random ones. */
const climbsFromKnown = 5;
const climbsFromRandom = 3;

export interface Question {
  readonly space: SearchSpace;
  readonly model: Surrogate;
  /** What has been evaluated, best first. */
  readonly known: readonly Coalition[];
  readonly random: Random;
}

/** The `count` choices that the model values most among those that are not known. */
export function predictedBest({ space, model, known, random }: Question, count: number): Coalition[] {
  const keys = new Set(known.map(({ key }) => key));
  const found = new Map<string, { set: Coalition; value: number }>();
  const look = (removed: readonly number[]): number => {
    const set = space.keeping(removed);
    const before = found.get(set.key);
    if (before !== undefined) return before.value;
    const value = model.predict(set);
    found.set(set.key, { set, value });
    return value;
  };
  if (isShort(space)) {
    for (const set of subsets(space.candidates, space.count ?? 0)) if (space.isMet(set)) look(set);
  } else {
    const choices = known.map((set) => set.absent()).filter((set) => space.isChoice(set));
    const randoms = Array.from({ length: climbsFromRandom }, () =>
      space.complete([], shuffled(space.candidates, random)),
    );
    for (const start of [...choices.slice(0, climbsFromKnown), ...randoms]) climb(space, start, look);
  }
  return [...found.values()]
    .filter(({ set }) => !keys.has(set.key))
    .sort((a, b) => b.value - a.value || (a.set.key < b.set.key ? -1 : 1))
    .slice(0, count)
    .map(({ set }) => set);
}

function isShort({ count, constraints, candidates }: SearchSpace): boolean {
  return count !== undefined && constraints.length === 1 && choose(candidates.length, count) <= listed;
}

/** Goes on to the best exchange as long as it is better. */
function climb(space: SearchSpace, start: readonly number[], look: (set: readonly number[]) => number): void {
  let at = start;
  let value = look(at);
  for (;;) {
    const exchanges = space.exchanges(at);
    const values = exchanges.map(look);
    const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (!(most > value)) return;
    at = item(exchanges, values.indexOf(most));
    value = most;
  }
}

/** All sets of `size` of these. */
function* subsets(from: readonly number[], size: number): Generator<number[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = 0; at + size <= from.length; at++) {
    for (const rest of subsets(from.slice(at + 1), size - 1)) yield [item(from, at), ...rest];
  }
}
