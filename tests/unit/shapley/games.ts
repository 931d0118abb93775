import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Coalition } from "../../../src/game/coalition.ts";
import { type Game, gameFromFunction } from "../../../src/game/game.ts";
import { randomStream } from "../../../src/shapley/random.ts";

const allIn = (coalition: Coalition, members: readonly number[]): number =>
  members.every((i) => coalition.has(i)) ? 1 : 0;

/** Size, plus a bonus for three players together, less one for four (docs: cases.md). */
export const g3 = gameFromFunction((c) => c.size + 2 * allIn(c, [0, 1, 2]) - 1.5 * allIn(c, [2, 3, 4, 5]), {
  players: 6,
});
export const g3Shapley = [5 / 3, 5 / 3, 31 / 24, 0.625, 0.625, 0.625];

/** Size squared. */
export const gsq = gameFromFunction((c) => c.size ** 2, { players: 8 });

/** Two teams of opposite worth: v(all) = v(none) = 0. */
export const gopp = gameFromFunction((c) => 5 * allIn(c, [0, 1, 2, 3]) - 5 * allIn(c, [4, 5, 6, 7]), {
  players: 8,
});

export const additiveWorth = [3, -1, 0.5, 2, 0, -4, 1.25, 0.75];
export const additive = gameFromFunction(
  (c) => 10 + [...c].reduce((sum, i) => sum + (additiveWorth[i] as number), 0),
  { players: 8 },
);

/** Random effects of single players, pairs, and some three- and four-way ones. */
export function randomGame(players: number, seed: number): Game {
  const random = randomStream(seed, "random game");
  const effects: { members: number[]; worth: number }[] = [];
  for (let i = 0; i < players; i++) {
    effects.push({ members: [i], worth: random.normal() });
    for (let j = i + 1; j < players; j++) effects.push({ members: [i, j], worth: 0.4 * random.normal() });
  }
  for (const size of [3, 4]) {
    for (let t = 0; t < players && players >= size; t++) {
      effects.push({ members: random.permutation(players).slice(0, size), worth: 0.8 * random.normal() });
    }
  }
  return gameFromFunction(
    (c) => effects.reduce((sum, { members, worth }) => sum + worth * allIn(c, members), 0),
    {
      players,
    },
  );
}

/** A game that counts what it is asked, by coalition. */
export function spy(inner: Game): { game: Game; calls: Map<string, number>; batches: string[][] } {
  const calls = new Map<string, number>();
  const batches: string[][] = [];
  const game: Game = {
    ...inner,
    evaluate(coalitions, options) {
      batches.push(coalitions.map(({ key }) => key));
      for (const { key } of coalitions) calls.set(key, (calls.get(key) ?? 0) + 1);
      return inner.evaluate(coalitions, options);
    },
  };
  return { game, calls, batches };
}

/**
 * The plain definition: mean over removal orders of each player's marginal, among the first `reach` removals.
 */
export async function bruteForce(game: Game, reach = game.players.length): Promise<number[]> {
  const n = game.players.length;
  const { Coalition: Subset } = await import("../../../src/game/coalition.ts");
  const all = Array.from({ length: 2 ** n }, (_, bits) =>
    Subset.of(
      n,
      Array.from({ length: n }, (_, i) => i).filter((i) => (bits >> i) & 1),
    ),
  );
  const values = await game.evaluate(all);
  const width = game.values.length;
  const sums = new Array<number>(n).fill(0);
  const removedCounts = all.map((c) => n - c.size);
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  for (const [bits, coalition] of all.entries()) {
    const gone = removedCounts[bits] as number;
    if (gone >= reach) continue;
    // Orders in which exactly these are gone first, then i, over all orders; given that i is in place gone +
    // 1.
    const share = (factorial(gone) * factorial(n - 1 - gone)) / factorial(n - 1) / reach;
    for (const i of coalition) {
      const marginal = (values[bits * width] as number) - (values[(bits ^ (1 << i)) * width] as number);
      sums[i] = (sums[i] as number) + share * marginal;
    }
  }
  return sums;
}

const goldenPath = fileURLToPath(new URL("../../../../shared/golden/game10.json", import.meta.url));

export interface Golden {
  /** Values loss and kl. */
  readonly game: Game;
  /** The loss alone: models are fitted to each value, so tests that need one take this. */
  readonly lossGame: Game;
  readonly exact: Readonly<Record<string, number[]>>;
  readonly best: Readonly<Record<string, readonly [number, number[]]>>;
  readonly lossOf: (coalition: Coalition) => number;
}

/** The enumerated real game, or undefined, with a warning, where the shared folder is not there. */
export function golden(): Golden | undefined {
  if (!existsSync(goldenPath)) {
    console.warn(`SKIPPED: tests on the real game need ${goldenPath}, which is not there.`);
    return undefined;
  }
  const table = JSON.parse(readFileSync(goldenPath, "utf8"));
  const indexOf = (coalition: Coalition) => Number.parseInt(coalition.key, 16);
  return {
    game: gameFromFunction((c) => [-table.loss[indexOf(c)], -table.kl[indexOf(c)]], {
      players: 10,
      values: ["loss", "kl"],
      caps: { loss: Math.log(49152) },
    }),
    lossGame: gameFromFunction((c) => -table.loss[indexOf(c)], {
      players: 10,
      values: ["loss"],
      caps: { loss: Math.log(49152) },
    }),
    exact: table.exact,
    best: table["best removals"],
    lossOf: (c) => table.loss[indexOf(c)],
  };
}
