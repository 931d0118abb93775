import { DepthkitError } from "../errors.ts";
import { aText, aWhole, type Check, checkArgument, listOf, required } from "../options.ts";

/** Blocks of two kinds, and the order they have in their family: what `model.info.pattern` holds. */
export interface BlockPattern {
  /** One entry per block. */
  kinds: readonly string[];
  /** Every block whose number from 1 is a multiple of it is of the kind `last`, all others are not. */
  period: number;
  last: string;
}

interface Removal {
  blocks: number[];
  /** Blocks that go and were not asked for, and the other way round. */
  changes: number;
}

/**
 * Whether the blocks that stay without `removed` have the kinds that their new numbers have in the model's
 * family, so that software that goes by the number (llama.cpp, MLX) runs them right. Always where `pattern`
 * is null: all blocks are of one kind.
 */
export function keepsPattern(pattern: BlockPattern | null, removed: readonly number[]): boolean {
  if (pattern === null) return true;
  const gone = checked(pattern, removed);
  const kept = [...pattern.kinds.keys()].filter((block) => !gone.has(block));
  return kept.every((block, place) => isLast(pattern, block) === isLastPlace(pattern, place));
}

/**
 * Up to `count` sets of blocks whose removal keeps the pattern and differs least from `removed`: as many
 * blocks where that is possible, else the nearest number of them. Fewest changes first, then lowest numbers.
 */
export function nearestKeepingPattern(
  pattern: BlockPattern,
  removed: readonly number[],
  count = 3,
): number[][] {
  const asked = checked(pattern, removed);
  checkArgument("nearestKeepingPattern", "count", count, aWhole(1));
  const depth = pattern.kinds.length;
  for (let change = 0; change < depth; change++) {
    const sizes = [...new Set([asked.size + change, asked.size - change])];
    const found = sizes
      .filter((size) => size >= 0 && size < depth)
      .flatMap((size) => best(pattern, asked, size, count));
    if (found.length > 0) return found.slice(0, count);
  }
  return [];
}

/**
 * The best `count` of all removals of `size` blocks, block by block: of those that agree in how many blocks
 * stayed so far, only the best can become the best.
 */
function best(pattern: BlockPattern, asked: ReadonlySet<number>, size: number, count: number): number[][] {
  let states = new Map<number, Removal[]>([[0, [{ blocks: [], changes: 0 }]]]);
  for (const block of pattern.kinds.keys()) {
    const next = new Map<number, Removal[]>();
    const add = (kept: number, removals: Removal[]) =>
      next.set(kept, [...(next.get(kept) ?? []), ...removals].sort(compare).slice(0, count));
    const was = asked.has(block) ? 1 : 0;
    for (const [kept, removals] of states) {
      if (isLast(pattern, block) === isLastPlace(pattern, kept)) {
        const stays = removals.map(({ blocks, changes }) => ({ blocks, changes: changes + was }));
        add(kept + 1, stays);
      }
      if (block - kept < size) {
        const goes = removals.map(({ blocks, changes }) => ({
          blocks: [...blocks, block],
          changes: changes + 1 - was,
        }));
        add(kept, goes);
      }
    }
    states = next;
  }
  return (states.get(pattern.kinds.length - size) ?? []).map(({ blocks }) => blocks);
}

function compare(one: Removal, other: Removal): number {
  if (one.changes !== other.changes) return one.changes - other.changes;
  const at = one.blocks.findIndex((block, index) => block !== other.blocks[index]);
  return at === -1 ? 0 : (one.blocks[at] as number) - (other.blocks[at] as number);
}

/** What else a model's pattern says is for people. */
const aPattern: Check = {
  allowed: "what model.info.pattern holds",
  holds: (value) => {
    const { kinds, period, last } = (value ?? {}) as Partial<BlockPattern>;
    return Array.isArray(kinds) && aWhole(1).holds(period) && aText.holds(last);
  },
};

export function checkPattern(pattern: BlockPattern): void {
  checkArgument("The pattern of blocks", "pattern", pattern, required(aPattern));
}

function checked(pattern: BlockPattern, removed: readonly number[]): Set<number> {
  checkPattern(pattern);
  checkArgument("The pattern of blocks", "removed", removed, listOf(aWhole(0)));
  const { kinds } = pattern;
  const wrong = removed.find((block) => block >= kinds.length);
  if (wrong !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `There is no block ${wrong} in a model of ${kinds.length}; blocks go from 0 to ${kinds.length - 1}.`,
    );
  }
  return new Set(removed);
}

export function isLast({ kinds, last }: BlockPattern, block: number): boolean {
  return kinds[block] === last;
}

export function isLastPlace({ period }: BlockPattern, place: number): boolean {
  return (place + 1) % period === 0;
}
