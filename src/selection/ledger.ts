import { entry, real } from "../arrays.ts";
import { Coalition } from "../game/coalition.ts";
import { sortByDepth } from "../game/depth-order.ts";
import { checkMatrix, type Game, throwIfCancelled } from "../game/game.ts";

/** Coalitions in one call of a game. */
const batchSize = 256;

/** One game's part in a search: what is known of it and what that has cost. */
export class Ledger {
  readonly game: Game;
  /** What an evaluation counts, relative to one of the game that is searched. */
  readonly weight: number;
  readonly #column: number;
  readonly #values = new Map<string, number>();
  #cost = 0;

  constructor(game: Game, value: string, weight: number) {
    this.game = game;
    this.weight = weight;
    this.#column = game.values.indexOf(value);
  }

  get evaluated(): number {
    return this.#values.size;
  }

  /** Block evaluations, as the game prices them. */
  get cost(): number {
    return this.#cost;
  }

  has({ key }: Coalition): boolean {
    return this.#values.has(key);
  }

  valueOf({ key }: Coalition): number {
    return entry(this.#values, key);
  }

  /** All that has been evaluated, best first. */
  best(): Coalition[] {
    const players = this.game.players.length;
    return [...this.#values]
      .sort(([keyA, a], [keyB, b]) => b - a || (keyA < keyB ? -1 : 1))
      .map(([key]) => Coalition.fromKey(players, key));
  }

  fresh(sets: readonly Coalition[]): Coalition[] {
    return [...new Map(sets.filter((set) => !this.has(set)).map((set) => [set.key, set])).values()];
  }

  /** Evaluates what is not known yet, in depth order. */
  async evaluate(
    sets: readonly Coalition[],
    signal: AbortSignal | undefined,
    onBatch: (batch: readonly Coalition[]) => void,
  ): Promise<void> {
    const fresh = sortByDepth(this.fresh(sets));
    for (let at = 0; at < fresh.length; at += batchSize) {
      throwIfCancelled(signal, `Searching, after ${this.evaluated} evaluations,`);
      const batch = fresh.slice(at, at + batchSize);
      const matrix = await this.game.evaluate(batch, { signal });
      checkMatrix(this.game, batch, matrix);
      const width = this.game.values.length;
      for (const [row, { key }] of batch.entries()) {
        this.#values.set(key, real(matrix, row * width + this.#column));
      }
      this.#cost += this.game.costOf?.(batch) ?? 0;
      onBatch(batch);
    }
  }
}
