import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";

/** A stream of random numbers; the same on every machine. */
export interface Random {
  /** An integer from `from` to `to`, both included. */
  integer(from: number, to: number): number;
  /** In [0, 1). */
  uniform(): number;
  normal(): number;
  /** The numbers 0 to n - 1 in random order. */
  permutation(n: number): number[];
}

/**
 * The stream of a name under a seed. Streams of different names are independent, so what one part of an
 * estimator draws never depends on how much another part drew.
 */
export function randomStream(seed: number, name: string): Random {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Seeding a random stream: got ${seed}; a seed is an integer from 0 to ${Number.MAX_SAFE_INTEGER}.`,
    );
  }
  let hash = mix((seed >>> 0) ^ 0x9e3779b9);
  hash = mix(hash ^ Math.floor(seed / 2 ** 32));
  for (let i = 0; i < name.length; i++) hash = mix(hash ^ name.charCodeAt(i));
  const state = [1, 2, 3, 4].map((i) => mix(hash ^ Math.imul(i, 0x85ebca6b)) | 0);
  const generator = xoroshiro128plusFromState(state);
  let spare: number | undefined;
  const random: Random = {
    integer: (from, to) => uniformInt(generator, from, to),
    uniform: () => uniformFloat64(generator),
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
      const angle = 2 * Math.PI * random.uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    permutation(n) {
      const order = Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = random.integer(0, i);
        [order[i], order[j]] = [item(order, j), item(order, i)];
      }
      return order;
    },
  };
  return random;
}

/** A 32-bit finaliser (the constants of MurmurHash3's). */
function mix(value: number): number {
  let h = (value ^ (value >>> 16)) | 0;
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
