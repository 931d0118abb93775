import { whole } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";

/** The largest number of players a game may have. */
export const maxPlayers = 512;

/**
 * A set of players out of `players`, packed 32 to a word. Immutable; two coalitions of the same game are
 * equal exactly when their keys are. Iterating yields the members in ascending order.
 */
export class Coalition implements Iterable<number> {
  readonly players: number;
  readonly #words: Uint32Array;
  #size = -1;
  #key: string | undefined;

  private constructor(players: number, words: Uint32Array) {
    this.players = players;
    this.#words = words;
  }

  /** Nobody. */
  static empty(players: number): Coalition {
    return new Coalition(players, allocate(players));
  }

  /** Every player. */
  static full(players: number): Coalition {
    const words = allocate(players).fill(0xffffffff);
    const rest = players & 31;
    if (rest !== 0) words[words.length - 1] = 2 ** rest - 1;
    return new Coalition(players, words);
  }

  /** The coalition of exactly these members. */
  static of(players: number, members: Iterable<number>): Coalition {
    const words = allocate(players);
    for (const member of members) {
      checkMember(players, member);
      words[member >>> 5] = whole(words, member >>> 5) | (1 << (member & 31));
    }
    return new Coalition(players, words);
  }

  /** Everyone but these. */
  static without(players: number, removed: Iterable<number>): Coalition {
    return Coalition.of(players, removed).complement();
  }

  /** The inverse of `key`. */
  static fromKey(players: number, key: string): Coalition {
    const words = allocate(players);
    const digits = Math.ceil(players / 4);
    if (key.length !== digits || !/^[0-9a-f]+$/.test(key)) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Reading a coalition of ${players} players: got the key "${key}"; it must have ${digits} ` +
          `lower-case hexadecimal digits. Take it from Coalition.key.`,
      );
    }
    for (let word = 0; word < words.length; word++) {
      const end = key.length - 8 * word;
      words[word] = Number.parseInt(key.slice(Math.max(0, end - 8), end), 16);
    }
    const beyond = players & 31;
    if (beyond !== 0 && whole(words, words.length - 1) >= 2 ** beyond) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Reading a coalition: the key "${key}" names a player above ${players - 1}, the last of ${players}.`,
      );
    }
    return new Coalition(players, words);
  }

  /**
   * The set as a hexadecimal number, player 0 the lowest bit: canonical, a map key and what journals hold.
   */
  get key(): string {
    if (this.#key === undefined) {
      let key = "";
      for (const word of this.#words) key = word.toString(16).padStart(8, "0") + key;
      this.#key = key.slice(key.length - Math.ceil(this.players / 4));
    }
    return this.#key;
  }

  /** How many members. */
  get size(): number {
    if (this.#size < 0) {
      this.#size = 0;
      for (const word of this.#words) this.#size += bitCount(word);
    }
    return this.#size;
  }

  /** Whether this player is in it. */
  has(player: number): boolean {
    return (((this.#words[player >>> 5] ?? 0) >>> (player & 31)) & 1) === 1;
  }

  /** This coalition and this player. */
  with(player: number): Coalition {
    checkMember(this.players, player);
    const words = this.#words.slice();
    words[player >>> 5] = whole(words, player >>> 5) | (1 << (player & 31));
    return new Coalition(this.players, words);
  }

  /** This coalition and not this player. */
  without(player: number): Coalition {
    checkMember(this.players, player);
    const words = this.#words.slice();
    words[player >>> 5] = whole(words, player >>> 5) & ~(1 << (player & 31));
    return new Coalition(this.players, words);
  }

  /** The players that are not in it. */
  complement(): Coalition {
    const words = Coalition.full(this.players).#words;
    for (let i = 0; i < words.length; i++) words[i] = whole(words, i) & ~whole(this.#words, i);
    return new Coalition(this.players, words);
  }

  /** Whether both hold the same players of as many. */
  equals(other: Coalition): boolean {
    return this.players === other.players && this.key === other.key;
  }

  /** The first player that is in one of the two and not in the other; `players` when there is none. */
  firstDifference(other: Coalition): number {
    for (let i = 0; i < this.#words.length; i++) {
      const difference = (whole(this.#words, i) ^ whole(other.#words, i)) >>> 0;
      if (difference !== 0) return 32 * i + (31 - Math.clz32(difference & -difference));
    }
    return this.players;
  }

  /** How many members are `from` or later. */
  sizeFrom(from: number): number {
    const start = from >>> 5;
    if (start >= this.#words.length) return 0;
    let size = bitCount((whole(this.#words, start) >>> (from & 31)) >>> 0);
    for (let i = start + 1; i < this.#words.length; i++) size += bitCount(whole(this.#words, i));
    return size;
  }

  /** The numbers of its players, in order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (let i = 0; i < this.#words.length; i++) {
      let word = whole(this.#words, i);
      while (word !== 0) {
        yield 32 * i + (31 - Math.clz32(word & -word));
        word = (word & (word - 1)) >>> 0;
      }
    }
  }

  /** The players that are not members, ascending. */
  absent(): number[] {
    const absent: number[] = [];
    for (let i = 0; i < this.#words.length; i++) {
      const width = Math.min(32, this.players - 32 * i);
      const word = whole(this.#words, i);
      for (let bit = 0; bit < width; bit++) if (((word >>> bit) & 1) === 0) absent.push(32 * i + bit);
    }
    return absent;
  }

  /** Writes the set as a bit mask from `at` on: player p is bit p % 8 of byte p // 8, lowest first. */
  writeMask(bytes: Uint8Array, at: number): void {
    for (let byte = 0; byte < Math.ceil(this.players / 8); byte++) {
      bytes[at + byte] = (this.#words[byte >>> 2] ?? 0) >>> (8 * (byte & 3));
    }
  }

  toString(): string {
    return `{${[...this].join(", ")}} of ${this.players}`;
  }
}

function allocate(players: number): Uint32Array<ArrayBuffer> {
  if (!Number.isInteger(players) || players < 1 || players > maxPlayers) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Making a coalition: got ${players} players; a game has 1 to ${maxPlayers}. Put units into groups ` +
        `to have fewer.`,
    );
  }
  return new Uint32Array(Math.ceil(players / 32));
}

function checkMember(players: number, member: number): void {
  if (Number.isInteger(member) && member >= 0 && member < players) return;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Making a coalition of ${players} players: got the member ${member}; members are integers from 0 to ` +
      `${players - 1}.`,
  );
}

function bitCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
