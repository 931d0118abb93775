import { item } from "../../arrays.ts";
import type { Random } from "../../shapley/random.ts";

/**
 * A mask of 0s and 1s in which each place is 1 with its probability and as many are as the probabilities sum
 * up to: pivotal sampling (Deville and Tille, Biometrika 85, 1998). Two open places fight until one of them
 * is decided, which keeps their sum and each one's mean; a sum that is no whole number leaves one place to
 * chance.
 */
export function drawMask(probabilities: readonly number[], random: Random): number[] {
  const mask = [...probabilities];
  let open: number | undefined;
  for (const next of random.permutation(mask.length)) {
    if (isDecided(item(mask, next))) continue;
    if (open === undefined) {
      open = next;
      continue;
    }
    const [a, b] = [item(mask, open), item(mask, next)];
    const sum = a + b;
    // Either one takes all there is, or one is full and the other keeps the rest.
    const winner: number = random.uniform() * Math.min(sum, 2 - sum) < (sum < 1 ? a : 1 - b) ? open : next;
    const loser: number = winner === open ? next : open;
    mask[winner] = Math.min(1, sum);
    mask[loser] = Math.max(0, sum - 1);
    open = [winner, loser].find((place) => !isDecided(item(mask, place)));
  }
  return mask.map((probability) => (random.uniform() < probability ? 1 : 0));
}

function isDecided(probability: number): boolean {
  return probability < 1e-9 || probability > 1 - 1e-9;
}
