import { Coalition } from "./coalition.ts";
import { sortByDepth } from "./depth-order.ts";
import { checkGame, checkMatrix, type EvaluateOptions, type Game } from "./game.ts";
import { type CacheCounts, type ComputeRows, RowCache, type RowStore } from "./row-cache.ts";

/**
 * A game that evaluates each coalition once: known ones come from memory, ones under way are waited for, the
 * rest go to the inner game in one batch in depth order and into the store.
 */
export class CachedGame<Player extends string = string> implements Game<Player> {
  readonly players: readonly Player[];
  readonly values: readonly string[];
  readonly caps: Readonly<Record<string, number>>;
  readonly costOf?: (coalitions: readonly Coalition[]) => number;
  readonly #inner: Game<Player>;
  readonly #rows: RowCache;

  constructor(inner: Game<Player>, store?: RowStore) {
    checkGame(inner);
    this.#inner = inner;
    this.#rows = new RowCache(store);
    this.players = inner.players;
    this.values = inner.values;
    this.caps = inner.caps ?? {};
    const cost = inner.costOf?.bind(inner);
    // What is known is charged like the rest: a budget must not reach further when a killed run is resumed.
    if (cost !== undefined) this.costOf = cost;
  }

  /** What it was asked for, and what it knew. */
  get counts(): Readonly<CacheCounts> {
    return this.#rows.counts;
  }

  /** How many coalitions are known. */
  get known(): number {
    return this.#rows.known;
  }

  /** The game's values; what is known, or under way for another call, is not computed again. */
  async evaluate(coalitions: readonly Coalition[], options: EvaluateOptions = {}): Promise<Float64Array> {
    const compute: ComputeRows = async (keys, found) => {
      const batch = sortByDepth(keys.map((key) => Coalition.fromKey(this.players.length, key)));
      const matrix = await this.#inner.evaluate(batch, options);
      checkMatrix(this.#inner, batch, matrix);
      const width = this.values.length;
      found(batch.map(({ key }, row) => ({ key, value: matrix.subarray(row * width, (row + 1) * width) })));
    };
    const rows = await this.#rows.rows(
      coalitions.map(({ key }) => key),
      compute,
      options,
    );
    const matrix = new Float64Array(coalitions.length * this.values.length);
    for (const [row, values] of rows.entries()) matrix.set(values, row * this.values.length);
    return matrix;
  }
}
