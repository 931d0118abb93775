import { add, real } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { Coalition } from "../../game/coalition.ts";
import { type Draft, meanDraft } from "../draft.ts";
import type { Estimator } from "../estimator.ts";
import { type Random, randomStream } from "../random.ts";
import { evaluateRequired } from "../required.ts";
import type { Session, Unit } from "../session.ts";
import { randomWindows, windowsOf } from "../windows.ts";

/** Settings of estimates from random orders of the players. */
export interface PermutationOptions {
  readonly name: "permutation";
  /**
   * `plain`: independent random orders (Castro et al. 2009). `antithetic` (the default): each with its
   * reverse (Mitchell et al., arXiv 2104.12199). There are no truncated walks (Ghorbani and Zou, arXiv
   * 1904.02868): that the value of a coalition is near v(none) says nothing of its subsets, so their bias has
   * no bound.
   */
  readonly walks?: "plain" | "antithetic" | undefined;
}

/**
 * Removal walks: players leave in a random order, each credited with the loss its leaving brings. For a
 * horizon r a walk ends after r removals; the walks cut out of one order then touch every player. The error
 * comes from the spread between orders, which are independent.
 */
export function permutation(options: PermutationOptions = { name: "permutation" }): Estimator {
  const walks = options.walks ?? "antithetic";
  if (walks !== "plain" && walks !== "antithetic") {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating by "permutation": got walks = "${String(walks)}"; they are "plain" or "antithetic". ` +
        `Truncated walks are gone, since their bias has no bound where the game is not monotone; see ` +
        `docs/shapley.md.`,
    );
  }
  return {
    method: "permutation",
    unbiased: true,
    efficient: true,
    check: () => undefined,
    minimum(players, reach) {
      const orders = walks === "antithetic" ? 4 : 2;
      const steps = reach === players ? players - 1 : reach * Math.ceil(players / reach);
      return 1 + (reach === players ? 1 : 0) + orders * steps;
    },
    async run(session) {
      const { players, reach } = session;
      const all = Coalition.full(players);
      const known = reach === players ? [all, Coalition.empty(players)] : [all];
      await evaluateRequired(session, known, "the ends of each walk");
      const random = randomStream(session.seed, "walks");
      const draft = await wholeWalks(session, random, walks === "antithetic");
      if (draft === undefined) {
        throw new DepthkitError(
          "BUDGET_TOO_SMALL",
          `Estimating by "permutation": the budget ended before two independent orders were walked, ` +
            `which an error needs. Give it more time or cost.`,
        );
      }
      return { draft };
    },
  };
}

/** Walks that come from one random order (and its reverse), averaged as one. */
interface Orders extends Unit {
  readonly walks: readonly (readonly number[])[];
}

async function wholeWalks(session: Session, random: Random, antithetic: boolean): Promise<Draft | undefined> {
  const { players, reach } = session;
  const all = Coalition.full(players);
  const means = session.game.values.map((): Float64Array[] => []);
  let draws = 0;
  const next = (): Orders => {
    const walks = randomWindows(players, reach, random);
    if (antithetic) {
      const order = walks.flat().slice(0, players).reverse();
      walks.push(...windowsOf(order, reach));
    }
    return { walks, coalitions: walks.flatMap((walk) => coalitionsAlong(all, walk)) };
  };
  const consume = ({ walks }: Orders): void => {
    draws += walks.length;
    for (const [value, vectors] of means.entries()) {
      const sums = new Float64Array(players);
      const counts = new Float64Array(players);
      for (const walk of walks) {
        let before = session.valueOf(all, value);
        let coalition = all;
        for (const player of walk) {
          coalition = coalition.without(player);
          const after = session.valueOf(coalition, value);
          sums[player] = real(sums, player) + before - after;
          add(counts, player, 1);
          before = after;
        }
      }
      vectors.push(sums.map((sum, i) => sum / real(counts, i)));
    }
  };
  const draft = () => draftOf(means, draws);
  await session.sample(next, consume, draft);
  return draft();
}

function draftOf(means: readonly Float64Array[][], draws: number): Draft | undefined {
  return (means[0]?.length ?? 0) < 2 ? undefined : { values: means.map(meanDraft), draws };
}

function coalitionsAlong(start: Coalition, walk: readonly number[]): Coalition[] {
  let coalition = start;
  return walk.map((player) => {
    coalition = coalition.without(player);
    return coalition;
  });
}
