import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { Coalition } from "../../game/coalition.ts";
import { combinations } from "../design.ts";
import { certain, type Draft, meanDraft, type ValueDraft } from "../draft.ts";
import { type Estimator, refuseTarget } from "../estimator.ts";
import { randomStream } from "../random.ts";
import { evaluateRequired } from "../required.ts";
import type { Session, Unit } from "../session.ts";
import { choose, reachOf } from "../target.ts";
import { randomWindows } from "../windows.ts";

/** Settings of the difference between coalitions with and without a player. */
export interface PresentAbsentOptions {
  readonly name: "present-absent";
  /** The share of the players that stay, rounded down to a number of them; default 0.9, as in the paper. */
  readonly share?: number | undefined;
  /** Rescale and shift to efficiency: (n-1)/n of the difference, plus (v(all) - v(none))/n. Default false. */
  readonly efficient?: boolean | undefined;
}

/**
 * Mean value where a player is present minus mean where it is absent, over coalitions of one size (arXiv
 * 2407.16286's estimator on multiple choice). Biased for the Shapley value: for an additive game it gives
 * n/(n-1) (c_i - mean c). Its standard errors are those of what it does estimate. Coalitions come in sets
 * that make every player absent at least once, the sets being independent; all coalitions of that size are
 * taken where the budget allows.
 */
export function presentAbsent(options: PresentAbsentOptions = { name: "present-absent" }): Estimator {
  const share = options.share ?? 0.9;
  const efficient = options.efficient ?? false;
  if (!(share > 0 && share < 1)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Estimating by "present-absent": got the share ${share}; it is the share of the players that stay, ` +
        `between 0 and 1.`,
    );
  }
  const ends = efficient ? 2 : 0;
  const removedOf = (players: number) =>
    players - Math.min(players - 1, Math.max(1, Math.floor(share * players + 1e-9)));
  return {
    method: "present-absent",
    unbiased: false,
    efficient,
    check(target, players) {
      if (players < 2 || reachOf(target, players) !== players) {
        refuseTarget(
          "present-absent",
          target,
          '"shapley" only (as a biased stand-in for it), with at least 2 players',
        );
      }
    },
    minimum(players) {
      const removed = removedOf(players);
      return ends + Math.min(choose(players, removed), 2 * Math.ceil(players / removed));
    },
    leverages(players) {
      const removed = removedOf(players);
      const leverages = new Float64Array(removed + 1);
      // One coalition's part is n/(n - s) where present, -n/s where absent.
      leverages[removed] = (efficient ? ((players - 1) / players) ** 2 : 1) * players;
      leverages[removed] *= 1 / removed + 1 / (players - removed);
      return leverages;
    },
    async run(session) {
      const { players } = session;
      const removed = removedOf(players);
      const all = Coalition.full(players);
      const none = Coalition.empty(players);
      if (efficient) await evaluateRequired(session, [all, none], "the ends that efficiency needs");
      const raw =
        choose(players, removed) <= session.remaining
          ? await everyCoalition(session, removed)
          : await sampledCoalitions(session, removed);
      if (!efficient) return { draft: raw };
      const scale = (players - 1) / players;
      const values = raw.values.map((draft, value): ValueDraft => {
        const shift = (session.valueOf(all, value) - session.valueOf(none, value)) / players;
        return {
          estimate: draft.estimate.map((x) => scale * x + shift),
          variance: draft.variance.map((x) => scale ** 2 * x),
          factors: draft.factors.map((row) => row.map((x) => scale * x)),
          degrees: draft.degrees,
          units: draft.units,
        };
      });
      return { draft: { values, draws: raw.draws } };
    },
  };
}

async function everyCoalition(session: Session, removed: number): Promise<Draft> {
  const coalitions = Array.from(combinations(session.players, removed), (absent) =>
    Coalition.without(session.players, absent),
  );
  await evaluateRequired(session, coalitions, `every coalition without ${removed} players`);
  const values = session.game.values.map((_, value) => certain(difference(session, coalitions, value)));
  return { values, draws: coalitions.length };
}

async function sampledCoalitions(session: Session, removed: number): Promise<Draft> {
  const random = randomStream(session.seed, "present-absent");
  const differences = session.game.values.map((): Float64Array[] => []);
  let draws = 0;
  const next = (): Unit => ({
    coalitions: randomWindows(session.players, removed, random).map((absent) =>
      Coalition.without(session.players, absent),
    ),
  });
  const consume = ({ coalitions }: Unit): void => {
    draws += coalitions.length;
    for (const [value, vectors] of differences.entries())
      vectors.push(difference(session, coalitions, value));
  };
  const draft = (): Draft | undefined =>
    (differences[0]?.length ?? 0) < 2 ? undefined : { values: differences.map(meanDraft), draws };
  await session.sample(next, consume, draft);
  const final = draft();
  if (final === undefined) {
    throw new DepthkitError(
      "BUDGET_TOO_SMALL",
      'Estimating by "present-absent": the budget ended before every player was absent twice, which an error ' +
        "needs. Give it more time or cost.",
    );
  }
  return final;
}

/** Per player, the mean over the coalitions that have it minus the mean over those that lack it. */
function difference(session: Session, coalitions: readonly Coalition[], value: number): Float64Array {
  return Float64Array.from({ length: session.players }, (_, player) => {
    const sums = [0, 0];
    const counts = [0, 0];
    for (const coalition of coalitions) {
      const side = coalition.has(player) ? 0 : 1;
      sums[side] = item(sums, side) + session.valueOf(coalition, value);
      counts[side] = item(counts, side) + 1;
    }
    return item(sums, 0) / item(counts, 0) - item(sums, 1) / item(counts, 1);
  });
}
