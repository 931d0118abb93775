import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { item } from "../../../src/arrays.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { type Game, gameFromFunction } from "../../../src/game/game.ts";
import { randomStream } from "../../../src/shapley/random.ts";

/** A game of which every coalition is known: `loss[m]` where bit p of m says that player p stays. */
export interface WholeGame {
  readonly name: string;
  readonly game: Game;
  readonly players: number;
  readonly loss: readonly number[];
}

function wholeGame(name: string, players: number, loss: readonly number[]): WholeGame {
  const game = gameFromFunction((coalition) => -item(loss, Number.parseInt(coalition.key, 16)), {
    players,
    values: ["loss"],
    caps: { loss: Math.log(49152) },
  });
  return { name, game, players, loss };
}

/**
 * Twelve players whose absence costs a little each, with pairs and threes that help or spoil each other, and
 * a loss that can hardly fall below that of the whole and grows faster the more is lost: as rugged as depth
 * games are.
 */
export function depthGame(seed: number): WholeGame {
  const players = 12;
  const random = randomStream(seed, "depth game");
  const single = Array.from({ length: players }, () => 0.05 + 0.35 * random.uniform() ** 2);
  const effects: { members: number[]; cost: number }[] = single.map((cost, i) => ({ members: [i], cost }));
  for (let i = 0; i < players; i++) {
    for (let j = i + 1; j < players; j++) {
      effects.push({ members: [i, j], cost: 0.1 * random.normal() * (random.uniform() < 0.3 ? 2 : 0.5) });
    }
  }
  for (let t = 0; t < 10; t++) {
    effects.push({ members: random.permutation(players).slice(0, 3), cost: 0.1 * random.normal() });
  }
  const loss = Array.from({ length: 2 ** players }, (_, mask) => {
    const cost = effects.reduce(
      (sum, effect) => (effect.members.some((i) => (mask >>> i) & 1) ? sum : sum + effect.cost),
      0,
    );
    return 4 + (Math.log1p(Math.exp(3 * cost)) / 3) * (1 + 0.1 * cost);
  });
  return wholeGame(`depth game ${seed}`, players, loss);
}

/** A game of a real model that was enumerated whole, from its file. */
export function readGame(path: string): WholeGame {
  const { loss } = JSON.parse(readFileSync(path, "utf8")) as { loss: number[] };
  return wholeGame(basename(path, ".json"), Math.log2(loss.length), loss);
}

export const lossOf = ({ loss }: WholeGame, kept: Coalition): number =>
  item(loss, Number.parseInt(kept.key, 16));

/** The losses of all sets that lack `removed` players, least first. */
export function lossesWithout({ players, loss }: WholeGame, removed: number): number[] {
  return loss
    .filter((_, mask) => Coalition.fromKey(players, keyOf(players, mask)).size === players - removed)
    .sort((a, b) => a - b);
}

function keyOf(players: number, mask: number): string {
  return mask.toString(16).padStart(Math.ceil(players / 4), "0");
}
