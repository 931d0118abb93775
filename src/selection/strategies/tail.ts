import type { Strategy } from "../strategy.ts";

/** Those just before the last: the baseline that every method must beat (arXiv 2403.17887). */
export const tail: Strategy = {
  async search({ space }) {
    const last = space.candidates.at(-1);
    const order = space.candidates
      .filter((player) => player !== last || player < space.players - 1)
      .reverse();
    const removed = space.complete([], order);
    // Only a budget that takes everything takes the last one too.
    return space.isMet(removed) ? removed : space.complete(removed, space.candidates);
  },
};
