import { item } from "../arrays.ts";
import { Coalition } from "../game/coalition.ts";
import { type Random, randomStream } from "./random.ts";
import { choose } from "./target.ts";

/** All k-subsets of 0 .. n - 1 in lexicographic order. */
export function* combinations(n: number, k: number): Generator<number[], void, undefined> {
  const chosen = Array.from({ length: k }, (_, i) => i);
  for (;;) {
    yield [...chosen];
    let at = k - 1;
    while (at >= 0 && chosen[at] === n - k + at) at--;
    if (at < 0) return;
    chosen[at] = item(chosen, at) + 1;
    for (let i = at + 1; i < k; i++) chosen[i] = item(chosen, i - 1) + 1;
  }
}

/** Up to this many subsets are listed and shuffled; larger families are drawn and repeats thrown away. */
const listed = 1 << 14;

/**
 * Subsets of one size in random order, none twice: every stretch of the sequence is a simple random sample
 * without replacement of what came after the stretch before it.
 */
export class SubsetStream {
  readonly population: number;
  readonly #random: Random;
  readonly #items: number;
  readonly #size: number;
  readonly #list: number[][] | undefined;
  readonly #seen = new Set<string>();
  #drawn = 0;

  constructor(items: number, size: number, random: Random) {
    this.population = choose(items, size);
    this.#items = items;
    this.#size = size;
    this.#random = random;
    this.#list = this.population <= listed ? [...combinations(items, size)] : undefined;
  }

  next(): number[] | undefined {
    if (this.#drawn >= this.population) return undefined;
    const list = this.#list;
    if (list !== undefined) {
      const at = this.#random.integer(this.#drawn, list.length - 1);
      const subset = item(list, at);
      list[at] = item(list, this.#drawn);
      this.#drawn++;
      return subset;
    }
    for (;;) {
      const subset = this.#draw();
      const key = Coalition.of(this.#items, subset).key;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      this.#drawn++;
      return subset;
    }
  }

  /** Robert Floyd's sampling of a subset: one draw per element. */
  #draw(): number[] {
    const chosen = new Set<number>();
    for (let top = this.#items - this.#size; top < this.#items; top++) {
      const pick = this.#random.integer(0, top);
      chosen.add(chosen.has(pick) ? top : pick);
    }
    return [...chosen].sort((a, b) => a - b);
  }
}

/**
 * The coalitions that lack exactly `removed` players, in an order that depends on the seed and nothing else.
 */
export class Stratum {
  readonly removed: number;
  readonly population: number;
  readonly #players: number;
  readonly #stream: SubsetStream;

  constructor(players: number, removed: number, seed: number) {
    this.removed = removed;
    this.#players = players;
    this.#stream = new SubsetStream(players, removed, randomStream(seed, `removed ${removed}`));
    this.population = this.#stream.population;
  }

  next(): Coalition | undefined {
    const removed = this.#stream.next();
    return removed && Coalition.without(this.#players, removed);
  }
}

/**
 * The share that keeps an unstratified guess of the sampling error least when the values of every size spread
 * alike: one draw of a coalition without s of n players has a variance of (1/s + 1/(n - s)) in units of that
 * spread.
 */
export function leverage(players: number, removed: number): number {
  return Math.sqrt(1 / removed + (removed < players ? 1 / (players - removed) : 0));
}

/**
 * Cuts `total` into shares in proportion to the weights, none above its cap; what a cap refuses goes to the
 * others. Basic arithmetic only, so the same on every machine.
 */
export function proportionalShares(
  total: number,
  weights: readonly number[],
  caps: readonly number[],
): number[] {
  const shares = weights.map(() => 0);
  const open = new Set(weights.keys());
  let left = total;
  for (let full = true; full && open.size > 0; ) {
    full = false;
    const weightLeft = [...open].reduce((sum, i) => sum + item(weights, i), 0);
    if (weightLeft <= 0 || left <= 0) break;
    const perWeight = left / weightLeft;
    for (const i of open) {
      const cap = item(caps, i);
      const share = perWeight * item(weights, i);
      shares[i] = Math.min(share, cap);
      if (share >= cap) {
        open.delete(i);
        left -= cap;
        full = true;
      }
    }
  }
  return shares;
}

/** Rounds shares to integers with the same (rounded) sum, the largest remainders up, none above its cap. */
export function roundShares(shares: readonly number[], caps: readonly number[]): number[] {
  const counts = shares.map(Math.floor);
  const total = Math.round(shares.reduce((sum, share) => sum + share, 0));
  let left = total - counts.reduce((sum, count) => sum + count, 0);
  const byRemainder = shares
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder) {
    if (left <= 0) break;
    if (item(counts, i) < item(caps, i)) {
      counts[i] = item(counts, i) + 1;
      left--;
    }
  }
  return counts;
}

/**
 * The indices, each `counts[i]` times, such that every beginning of the sequence has about the final
 * proportions.
 */
export function interleave(counts: readonly number[]): number[] {
  return counts
    .flatMap((count, i) => Array.from({ length: count }, (_, j) => ({ i, at: (j + 0.5) / count })))
    .sort((a, b) => a.at - b.at || a.i - b.i)
    .map(({ i }) => i);
}
