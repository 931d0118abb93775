/** Games whose answer is known, that are hard to be honest about. */
import type { Coalition } from "../../src/game/coalition.ts";
import { type Game, gameFromFunction } from "../../src/game/game.ts";
import { randomStream } from "../../src/shapley/random.ts";

const players = 8;
const allIn = (c: Coalition, members: readonly number[]): number => (members.every((i) => c.has(i)) ? 1 : 0);
const noneIn = (c: Coalition, members: readonly number[]): number =>
  members.every((i) => !c.has(i)) ? 1 : 0;
const teams = (c: Coalition) => 5 * allIn(c, [0, 1, 2, 3]) - 5 * allIn(c, [4, 5, 6, 7]);

/** The same small number for the same coalition, as a model's rounding gives. */
function noiseOf(coalition: Coalition, size: number): number {
  return size * randomStream(Number.parseInt(coalition.key, 16), "noise").normal();
}

interface Effect {
  readonly members: readonly number[];
  readonly worth: number;
}

/** Effects of single players, of pairs, and of some threes and fours. */
function effects(seed: number): Effect[] {
  const random = randomStream(seed, "effects");
  const found: Effect[] = [];
  for (let i = 0; i < players; i++) {
    found.push({ members: [i], worth: random.normal() });
    for (let j = i + 1; j < players; j++) found.push({ members: [i, j], worth: 0.4 * random.normal() });
  }
  for (const size of [3, 4]) {
    for (let t = 0; t < players; t++) {
      found.push({ members: random.permutation(players).slice(0, size), worth: 0.8 * random.normal() });
    }
  }
  return found;
}

const worthOf = (c: Coalition, found: readonly Effect[]): number =>
  found.reduce((sum, { members, worth }) => sum + worth * allIn(c, members), 0);

const general = effects(11);
/** The same effects with players 0 and 1 in each other's place: together they make the two alike. */
const swapped = general.map(({ members, worth }) => ({
  members: members.map((i) => (i === 0 ? 1 : i === 1 ? 0 : i)),
  worth,
}));
const quality = [0.95, 0.9, 0.98, 0.5, 0.97, 0.92, 0.8, 0.99];

export const honestGames: Record<string, Game> = {
  "cancelling teams": gameFromFunction(teams, { players }),
  "cancelling teams, rounded": gameFromFunction((c) => teams(c) + noiseOf(c, 1e-9), { players }),
  "two alike at the bottom": gameFromFunction(
    (c) => worthOf(c, general) + worthOf(c, swapped) - 6 * (allIn(c, [0]) + allIn(c, [1])),
    { players },
  ),
  "all alike": gameFromFunction((c) => c.size ** 2, { players }),
  constant: gameFromFunction(() => 4.1, { players }),
  "all capped": gameFromFunction((c) => -20 - c.absent().length / 7, {
    players,
    values: ["loss"],
    caps: { loss: Math.log(49152) },
  }),
  "most capped": gameFromFunction((c) => 8 * c.absent().reduce((p, i) => p * (quality[i] ?? 1), 1) - 12, {
    players,
    values: ["loss"],
    caps: { loss: 8.5 },
  }),
  "threes and fours": gameFromFunction((c) => worthOf(c, general) + 2 * noneIn(c, [2, 5]), { players }),
};
