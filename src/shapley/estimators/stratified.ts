import { add, item, present, real } from "../../arrays.ts";
import { Coalition } from "../../game/coalition.ts";
import { interleave, leverage, proportionalShares, roundShares, Stratum } from "../design.ts";
import { type Draft, ErrorSum, type ValueDraft } from "../draft.ts";
import type { Estimator } from "../estimator.ts";
import { evaluateRequired } from "../required.ts";
import type { Session, Unit } from "../session.ts";
import { choose } from "../target.ts";

/** Draws a size needs for a covariance and an error of it. */
const fewest = 3;

/**
 * Every coalition size sampled in its turn, without replacement, each evaluation serving all players at once
 * (as in stratified SVARM, Kolpaczki et al., arXiv 2302.00736). Within a size a player's coefficient takes
 * two values, so the size's part is a covariance of membership and value: the sample covariance estimates it
 * without bias, and constant shifts between sizes cancel.
 */
export const stratified: Estimator = {
  method: "stratified",
  unbiased: true,
  efficient: true,
  check: () => undefined,
  minimum(players, reach) {
    let count = reach === players ? 2 : 1;
    for (let s = 1; s <= Math.min(reach, players - 1); s++) count += Math.min(fewest, choose(players, s));
    return count;
  },
  async run(session) {
    const { players, reach, seed } = session;
    const ends =
      reach === players ? [Coalition.full(players), Coalition.empty(players)] : [Coalition.full(players)];
    await evaluateRequired(session, ends, "the whole and the empty coalition");
    const strata = Array.from(
      { length: Math.min(reach, players - 1) },
      (_, i) => new Stratum(players, i + 1, seed),
    );
    const samples = strata.map((): Coalition[] => []);
    const order = samplingOrder(players, strata, session.remaining);
    let at = 0;
    const next = (): SizedUnit | undefined => {
      const stratum = order[at++];
      if (stratum === undefined) return undefined;
      const coalition = present(item(strata, stratum).next(), "a size's next coalition");
      return { stratum, coalitions: [coalition] };
    };
    const consume = ({ stratum, coalitions }: SizedUnit): void => {
      samples[stratum]?.push(...coalitions);
    };
    const draft = () => draftOf(session, ends, strata, samples);
    await session.sample(next, consume, draft);
    return { draft: draft() };
  },
};

interface SizedUnit extends Unit {
  readonly stratum: number;
}

/** The sizes to draw from, in turn: first what every size needs, then in proportion to their leverage. */
function samplingOrder(players: number, strata: readonly Stratum[], total: number): number[] {
  const floors = strata.map((stratum) => Math.min(fewest, stratum.population));
  const caps = strata.map((stratum, s) => stratum.population - item(floors, s));
  const needed = floors.reduce((sum, count) => sum + count, 0);
  const weights = strata.map((stratum) => leverage(players, stratum.removed));
  const shares = proportionalShares(Math.max(0, total - needed), weights, caps);
  return [...interleave(floors), ...byRate(roundShares(shares, caps), weights)];
}

/**
 * The indices, each `counts[i]` times, at the pace of their weights: an index whose count is capped is
 * through early, so that a run which stops on the way has what a smaller budget would have given it.
 */
function byRate(counts: readonly number[], weights: readonly number[]): number[] {
  return counts
    .flatMap((count, i) => Array.from({ length: count }, (_, j) => ({ i, at: (j + 0.5) / item(weights, i) })))
    .sort((a, b) => a.at - b.at || a.i - b.i)
    .map(({ i }) => i);
}

function draftOf(
  session: Session,
  ends: readonly Coalition[],
  strata: readonly Stratum[],
  samples: readonly Coalition[][],
): Draft {
  const { players, reach } = session;
  const values = session.game.values.map((_, value): ValueDraft => {
    const estimate = new Float64Array(players);
    const errors = new ErrorSum(players);
    for (const end of ends) {
      // The whole coalition counts for everyone, the empty one against; each has the weight 1/reach.
      const part = session.valueOf(end, value) / reach;
      for (let i = 0; i < players; i++) add(estimate, i, end.size > 0 ? part : -part);
    }
    for (const [s, stratum] of strata.entries()) {
      const removed = stratum.removed;
      const absent = -1 / (reach * choose(players - 1, removed - 1));
      const present = removed < reach ? 1 / (reach * choose(players - 1, removed)) : 0;
      addStratum(estimate, errors, {
        players,
        population: stratum.population,
        removed,
        absent,
        present,
        coalitions: item(samples, s),
        values: item(samples, s).map((coalition) => session.valueOf(coalition, value)),
      });
    }
    return errors.finish(estimate);
  });
  return { values, draws: samples.reduce((sum, drawn) => sum + drawn.length, ends.length) };
}

interface StratumSample {
  readonly players: number;
  readonly population: number;
  readonly removed: number;
  /** A player's coefficient in this size: where it is absent, and where present. */
  readonly absent: number;
  readonly present: number;
  readonly coalitions: readonly Coalition[];
  readonly values: readonly number[];
}

/**
 * Adds one size's part, population mean coefficient x total + (population - 1) x covariance, and its error.
 */
function addStratum(estimate: Float64Array, errors: ErrorSum, sample: StratumSample): void {
  const { players, population, removed, absent, present, coalitions, values } = sample;
  const n = values.length;
  if (n === 0) return;
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const absence = removed / players;
  const meanCoefficient = absence * absent + (1 - absence) * present;
  const whole = n === population;
  const contributionOf = (t: number, into: Float64Array): Float64Array => {
    const coalition = item(coalitions, t);
    const deviation = item(values, t) - mean;
    const level = population * meanCoefficient * mean;
    const here = level + population * (present - meanCoefficient) * deviation;
    const gone = level + population * (absent - meanCoefficient) * deviation;
    for (let i = 0; i < players; i++) into[i] = coalition.has(i) ? here : gone;
    return into;
  };
  // n - 1 in place of n makes the covariance unbiased; for a whole size it is the plain sum.
  const unbias = whole || n < 2 ? 1 : ((population - 1) / population) * (n / (n - 1));
  const level = population * meanCoefficient * mean;
  const average = new Float64Array(players);
  const contribution = new Float64Array(players);
  for (let t = 0; t < n; t++) {
    contributionOf(t, contribution);
    for (let i = 0; i < players; i++) add(average, i, real(contribution, i) / n);
  }
  for (let i = 0; i < players; i++) {
    estimate[i] = real(estimate, i) + level + unbias * (real(average, i) - level);
  }
  if (whole || n < 2) return;
  // Each draw's influence, the level's share included; a sample of n loses two of its freedoms to the two
  // means.
  const scale = Math.sqrt((1 - n / population) / (n * Math.max(1, n - 2)));
  for (let t = 0; t < n; t++) {
    const deviation = population * meanCoefficient * (item(values, t) - mean);
    contributionOf(t, contribution);
    for (let i = 0; i < players; i++) {
      contribution[i] = scale * (real(contribution, i) - real(average, i) + deviation);
    }
    errors.add(contribution);
  }
}
