import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Random } from "../../shapley/random.ts";
import type { SearchSpace } from "../space.ts";
import { shuffled } from "./random.ts";

/** How much likelier the best player to remove is than the worst: exp of it. */
const greed = 10;
/** How often an exchange does not look at what is known. */
const blind = 0.1;

/**
 * How the sets that lack a player have done: the mean of their ranks, from 1 for the best set down to 0, and
 * 0.5 for a player that nothing is known of. By ranks, so that a broken network does not drown the rest.
 */
export function worthOf(players: number, sets: readonly Coalition[]): number[] {
  const sums = new Array<number>(players).fill(0.5);
  const counts = new Array<number>(players).fill(1);
  for (const [at, set] of sets.entries()) {
    for (const player of set.absent()) {
      sums[player] = item(sums, player) + 1 - at / sets.length;
      counts[player] = item(counts, player) + 1;
    }
  }
  return sums.map((sum, player) => sum / item(counts, player));
}

/** Lets one player go in another's place, and makes a choice of what comes out. */
export function mutate(
  space: SearchSpace,
  removed: readonly number[],
  worth: readonly number[],
  random: Random,
): number[] {
  const drive = random.uniform() < blind ? 0 : greed;
  const staying = space.candidates.filter((player) => !removed.includes(player));
  const entering = draw(staying, (player) => Math.exp(drive * item(worth, player)), random);
  const leaving = draw(removed, (player) => Math.exp(-drive * item(worth, player)), random);
  if (entering === undefined || leaving === undefined) return [...removed];
  const swapped = [...removed.filter((player) => player !== leaving), entering];
  const others = shuffled(space.candidates, random).filter(
    (player) => player !== leaving && player !== entering,
  );
  const child = space.complete(swapped, others);
  // With several budgets, one for a kind say, the one that entered may be of no use where the other left.
  return space.isChoice(child) ? child : [...removed];
}

function draw(
  players: readonly number[],
  weightOf: (player: number) => number,
  random: Random,
): number | undefined {
  const weights = players.map(weightOf);
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [at, player] of players.entries()) {
    left -= item(weights, at);
    if (left <= 0) return player;
  }
  return players.at(-1);
}
