import { DepthkitError } from "../errors.ts";
import { type BlockPattern, checkPattern, isLast, isLastPlace, keepsPattern } from "./pattern.ts";

/** Which removals keep a pattern of blocks, over a game's players: a rule of a search about its sets. */
export class PatternRule {
  readonly #pattern: BlockPattern;
  /** Of each player that may go. */
  readonly #blocks: ReadonlyMap<number, number>;

  /** @throws DepthkitError INVALID_ARGUMENT unless each player that may go is a block of the pattern */
  constructor(pattern: BlockPattern, players: readonly string[], mayGo: readonly number[]) {
    checkPattern(pattern);
    this.#pattern = pattern;
    this.#blocks = new Map(mayGo.map((player) => [player, blockOf(players[player] ?? "")]));

    function blockOf(label: string): number {
      const block = /^block\.(0|[1-9]\d*)$/.exec(label)?.[1];
      if (block !== undefined && Number(block) < pattern.kinds.length) return Number(block);
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Searching: the order of blocks is to be kept, and the player "${label}" is no whole block of a model ` +
          `of ${pattern.kinds.length}. Let blocks play, or leave the pattern out.`,
      );
    }
  }

  /** Whether what stays without these players has the kinds of its new numbers. */
  allows(removed: readonly number[]): boolean {
    return keepsPattern(this.#pattern, this.#blocksOf(removed));
  }

  /**
   * Whether some `count` of the candidates, these players among them, may go together. Block by block: only
   * how many blocks stayed so far decides what may follow.
   */
  reaches(removed: readonly number[], candidates: readonly number[], count: number): boolean {
    const { kinds } = this.#pattern;
    const gone = new Set(this.#blocksOf(removed));
    const mayGo = new Set(this.#blocksOf(candidates));
    let kept = new Set([0]);
    for (const block of kinds.keys()) {
      const next = new Set<number>();
      for (const place of kept) {
        const fits = isLast(this.#pattern, block) === isLastPlace(this.#pattern, place);
        if (fits && !gone.has(block)) next.add(place + 1);
        if (gone.has(block) || (mayGo.has(block) && block - place < count)) next.add(place);
      }
      kept = next;
    }
    return kept.has(kinds.length - count);
  }

  toString(): string {
    return `every ${this.#pattern.period}th is ${this.#pattern.last}`;
  }

  #blocksOf(players: readonly number[]): number[] {
    return players.map((player) => this.#blocks.get(player) as number);
  }
}
