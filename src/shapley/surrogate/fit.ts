import { item, real } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { Functional } from "../functional.ts";
import { defaultLimits, fitKernel } from "./kernel-surrogate.ts";
import type { Surrogate } from "./surrogate.ts";
import { Trend } from "./trend.ts";

/** Covariances between points that predicting a whole sample may take, in player comparisons. */
const predictionWork = 4e9;
/** Points times players squared that the model's own Shapley values may take. */
const imageWork = 5e7;

/**
 * Fits a model of a value: a Gaussian process where all coalitions fit into one; beyond that a least-squares
 * trend over all of them and the process on what it leaves, over as many as the time allows. `coalitions`
 * come in an order whose every beginning is a fair selection.
 */
export function fitSurrogate(coalitions: readonly Coalition[], y: Float64Array): Surrogate {
  const rows = coalitions.length;
  const players = item(coalitions, 0).players;
  const points = Math.min(
    defaultLimits.points,
    Math.max(128, Math.floor(Math.min(predictionWork / (rows * players), imageWork / players ** 2))),
  );
  const limits = { ...defaultLimits, points };
  if (rows <= points) return fitKernel(coalitions, y);
  const trend = Trend.fit(coalitions, y);
  if (trend === undefined) return fitKernel(coalitions, y, limits);
  const used = coalitions.slice(0, points);
  const rest = fitKernel(
    used,
    Float64Array.from(used, (coalition, row) => real(y, row) - trend.predict(coalition)),
    limits,
  );
  return {
    description: `${trend.description} on ${rows} coalitions, then a ${rest.description}`,
    predict: (coalition) => trend.predict(coalition) + rest.predict(coalition),
    apply(functional: Functional) {
      const sums = trend.apply(functional);
      const more = rest.apply(functional);
      return sums.map((sum, i) => sum + real(more, i));
    },
  };
}
