import type { Coalition } from "../game/coalition.ts";

/** A set that was evaluated. */
export interface ArchivedSet<Player extends string = string> {
  readonly removed: readonly Player[];
  readonly value: number;
}

interface Scored {
  readonly kept: Coalition;
  readonly value: number;
}

/** The best sets of each size that a search has seen. */
export class Archive {
  /** How many sets of each size are kept. */
  readonly depth = 8;
  readonly #bySize = new Map<number, Scored[]>();

  offer(kept: Coalition, value: number): void {
    const size = kept.players - kept.size;
    const best = this.#bySize.get(size) ?? [];
    best.push({ kept, value });
    // Equal values in the order of their keys, so that the order of evaluation decides nothing.
    best.sort((a, b) => b.value - a.value || (a.kept.key < b.kept.key ? -1 : 1));
    this.#bySize.set(size, best.slice(0, this.depth));
  }

  /** Those without so many players, best first. */
  ofSize(removed: number): Coalition[] {
    return (this.#bySize.get(removed) ?? []).map(({ kept }) => kept);
  }

  /** By size, best first. */
  list<Player extends string>(players: readonly Player[]): Record<number, ArchivedSet<Player>[]> {
    return Object.fromEntries(
      [...this.#bySize.entries()]
        .sort(([a], [b]) => a - b)
        .map(([size, sets]) => [
          size,
          sets.map(({ kept, value }) => ({
            removed: players.filter((_, player) => !kept.has(player)),
            value,
          })),
        ]),
    );
  }
}
