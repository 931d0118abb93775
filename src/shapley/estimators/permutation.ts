import { add, item, real } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { Coalition } from "../../game/coalition.ts";
import { type Draft, meanDraft } from "../draft.ts";
import { type Estimator, refuseTarget } from "../estimator.ts";
import { type Random, randomStream } from "../random.ts";
import { evaluateRequired } from "../required.ts";
import type { Session, Unit } from "../session.ts";
import { randomWindows, windowsOf } from "../windows.ts";

export interface PermutationOptions {
  readonly name: "permutation";
  /**
   * `plain`: independent random orders (Castro et al. 2009). `antithetic`: each with its reverse (Mitchell et al.,
   * arXiv 2104.12199). `truncated`: a walk ends once what is left is within `tolerance` of v(none), its other players
   * getting 0 (Ghorbani and Zou, arXiv 1904.02868); for the Shapley value only, and biased by up to the tolerance.
   */
  readonly walks?: "plain" | "antithetic" | "truncated" | undefined;
  /** For `truncated`, in the units of the value; default 1% of |v(all) - v(none)|. */
  readonly tolerance?: number | undefined;
}

/**
 * Removal walks: players leave in a random order, each credited with the loss its leaving brings. For a horizon r a
 * walk ends after r removals; the walks cut out of one order then touch every player. The error comes from the spread
 * between orders, which are independent.
 */
export function permutation(options: PermutationOptions = { name: "permutation" }): Estimator {
  const walks = options.walks ?? "antithetic";
  if (options.tolerance !== undefined && !(options.tolerance >= 0)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating by "permutation": got the tolerance ${options.tolerance}; it is a number from 0 on, in the units of the value.`,
    );
  }
  return {
    method: "permutation",
    unbiased: walks !== "truncated",
    efficient: true,
    check(target, players) {
      if (walks !== "truncated" || target === "shapley" || target.horizon === players) return;
      refuseTarget(
        "permutation",
        target,
        '"shapley" only when walks are truncated, since a horizon has no end to be close to',
      );
    },
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
      const draft =
        walks === "truncated"
          ? await truncatedWalks(session, random, options.tolerance)
          : await wholeWalks(session, random, walks === "antithetic");
      if (draft === undefined) {
        throw new DepthkitError(
          "BUDGET_TOO_SMALL",
          `Estimating by "permutation": the budget ended before two independent orders were walked, which an error needs. Give it more time or cost.`,
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

async function truncatedWalks(
  session: Session,
  random: Random,
  asked: number | undefined,
): Promise<Draft | undefined> {
  const { players } = session;
  const all = Coalition.full(players);
  const none = Coalition.empty(players);
  const width = session.game.values.length;
  const ends = Array.from({ length: width }, (_, value) => session.valueOf(none, value));
  const tolerances = ends.map((end, value) => asked ?? 0.01 * Math.abs(session.valueOf(all, value) - end));
  const means = session.game.values.map((): Float64Array[] => []);
  let draws = 0;
  // Eight walks go side by side: enough for a batch, few enough that little is lost when the budget ends among them.
  const wave = 8;
  while (session.remaining > 0 && draws < 16 * session.budget.evaluations) {
    const walks = Array.from({ length: wave }, () => random.permutation(players));
    const along = walks.map(() => [all]);
    let going = walks.map((_, w) => w);
    let complete = true;
    for (let step = 0; step < players - 1 && going.length > 0; step++) {
      const units = going.map((w) => {
        const last = item(along, w).at(-1) ?? all;
        return { coalitions: [last.without(item(item(walks, w), step))] };
      });
      const admitted = session.admit(units);
      await session.evaluate(units.slice(0, admitted).flatMap((unit) => unit.coalitions));
      complete &&= admitted === units.length;
      const dropped = new Set(going.slice(admitted));
      for (const w of dropped) walks[w] = [];
      going = going.slice(0, admitted).filter((w, at) => {
        const coalition = item(item(units, at).coalitions, 0);
        along[w]?.push(coalition);
        return ends.some(
          (end, value) => Math.abs(session.valueOf(coalition, value) - end) > item(tolerances, value),
        );
      });
    }
    for (const [w, walk] of walks.entries()) {
      if (walk.length === 0) continue;
      draws++;
      const path = item(along, w);
      for (const [value, vectors] of means.entries()) {
        const vector = new Float64Array(players);
        path.forEach((coalition, step) => {
          const after = path[step + 1];
          const end = after === undefined ? item(ends, value) : session.valueOf(after, value);
          vector[item(walk, step)] = session.valueOf(coalition, value) - end;
        });
        vectors.push(vector);
      }
    }
    if (!complete) break;
    const current = session.lookIsDue ? draftOf(means, draws) : undefined;
    if (current !== undefined && session.look(current)) break;
  }
  return draftOf(means, draws);
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
