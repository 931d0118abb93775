import { entry, item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { Coalition } from "../../game/coalition.ts";
import { type CrossFitInput, crossFit, type SizeSample } from "../cross-fit.ts";
import type { Draft } from "../draft.ts";
import type { Estimator } from "../estimator.ts";
import { type Functional, horizonValue } from "../functional.ts";
import { randomStream } from "../random.ts";
import { foldCount, RemovalSample } from "../removal-sample.ts";
import { evaluateRequired } from "../required.ts";
import { coalitionsWithin } from "../target.ts";

/** Settings of estimates by regression on coalitions. */
export interface RegressionOptions {
  readonly name: "regression";
  /**
   * `fixed` (the default): by leverage alone, so that the coalitions depend on the seed and the budget and on
   * no value. `adaptive`: some draws first learn at which sizes values spread, the rest go there; better for
   * the Shapley value of a game most of whose coalitions are worth the same, as capped ones are.
   */
  readonly allocation?: "adaptive" | "fixed" | undefined;
}

/**
 * Regression-adjusted estimation (see `crossFit`): all coalitions that lack one player, the rest drawn by
 * `RemovalSample`, a Gaussian process as the model. Unbiased for every game; how small its error is depends
 * on how much of the game the model explains.
 */
export function regression(options: RegressionOptions = { name: "regression" }): Estimator {
  const adaptive = options.allocation === "adaptive";
  return {
    method: "regression",
    modelled: true,
    unbiased: true,
    efficient: true,
    check: () => undefined,
    minimum(players, reach) {
      const certain = 1 + players + (reach === players ? 1 : 0);
      return Math.min(coalitionsWithin(players, reach), certain + 2 * foldCount);
    },
    async run(session, extras = []) {
      const { players, reach, seed } = session;
      const all = Coalition.full(players);
      const ends = reach === players && players > 1 ? [all, Coalition.empty(players)] : [all];
      const ones = Array.from({ length: players }, (_, i) => all.without(i));
      await evaluateRequired(session, [...ends, ...ones], "the whole model and each player's absence");
      const sample = await RemovalSample.plan(session, ones, adaptive);
      const drawn = sample.plans.map((): Coalition[] => []);
      const rank = new Map<string, number>();
      const place = randomStream(seed, "order of the players' absences").permutation(players);
      for (const end of ends) rank.set(end.key, -1);
      for (const [i, one] of ones.entries()) rank.set(one.key, item(place, i));
      let draws = 0;
      for (const { pilot } of sample.plans) for (const coalition of pilot) rank.set(coalition.key, draws++);
      const inputFor = (value: number): CrossFitInput => ({
        ...certainAndSampled(ends, ones, sample, drawn),
        valueOf: (coalition) => session.valueOf(coalition, value),
        // Absences and draws alternate, each in random order.
        arrange: (training) =>
          [...training].sort((a, b) => entry(rank, a.key) - entry(rank, b.key) || a.size - b.size),
      });
      const target = horizonValue(players, reach);
      let descriptions: readonly string[] = [];
      const draftsOf = (functionals: readonly Functional[]): Draft[] => {
        const fits = session.game.values.map((_, value) => crossFit(inputFor(value), functionals));
        descriptions = fits.map(({ description }) => description);
        return functionals.map((_, f) => ({
          values: fits.map(({ drafts }) => item(drafts, f)),
          draws: session.evaluations,
        }));
      };
      const enough = () => drawn.reduce((sum, list) => sum + list.length, 0) >= 2 * foldCount;
      await session.sample(
        () => sample.next(),
        ({ stratum, coalitions }) => {
          for (const coalition of coalitions) rank.set(coalition.key, draws++);
          drawn[stratum]?.push(...coalitions);
        },
        () => (enough() ? draftsOf([target])[0] : undefined),
      );
      if (drawn.reduce((sum, list) => sum + list.length, 0) < foldCount) {
        throw new DepthkitError(
          "BUDGET_TOO_SMALL",
          `Estimating by "regression": the budget ended after ${session.evaluations} evaluations, before ` +
            `anything was drawn to correct the model with. Give it more time or cost.`,
        );
      }
      const [draft, ...extraDrafts] = draftsOf([target, ...extras]);
      return { draft: draft as Draft, extras: extraDrafts, surrogates: descriptions };
    },
  };
}

/** Sorts what is known into what counts as it is and what was drawn, as far as the sampling has come. */
function certainAndSampled(
  ends: readonly Coalition[],
  ones: readonly Coalition[],
  sample: RemovalSample,
  drawn: readonly (readonly Coalition[])[],
): Pick<CrossFitInput, "certain" | "sizes"> {
  const certain = [...ends, ...ones, ...sample.plans.flatMap(({ pilot }) => pilot)];
  const sizes: SizeSample[] = [];
  // A size that is thinly drawn so far shares the pool, whatever it will come to.
  const thin = sample.plans.map(({ stratum, pilot, pooled, share }, s) => {
    const count = drawn[s]?.length ?? 0;
    return count < stratum.population - pilot.length && (pooled || (count < foldCount && share > 0));
  });
  const thinShare = sample.plans.reduce((sum, { share }, s) => sum + (thin[s] === true ? share : 0), 0);
  for (const [s, { stratum, pilot, share }] of sample.plans.entries()) {
    const population = stratum.population - pilot.length;
    const here = item(drawn, s);
    if (here.length === population) certain.push(...here);
    else if (thin[s] === true && thinShare > 0)
      sizes.push({ population, drawn: here, chance: share / thinShare });
    else sizes.push({ population, drawn: here });
  }
  return { certain, sizes };
}
