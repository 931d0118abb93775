/**
 * Curves of a study: what each ranking costs at each removal, with intervals, over draws where there are
 * some.
 */
import { groupBy } from "../../arrays.ts";
import { lowerIsBetter } from "../../protocol/names.ts";
import { deviationOf, meanOf } from "../../selection/choice-certainty.ts";
import { tQuantile } from "../../shapley/student-t.ts";
import type { StudyRecord } from "./record.ts";

/**
 * Whether less of a figure is better: of what is measured here, and of lm-evaluation-harness's metrics by
 * name.
 */
export const isLowerBetter = (measure: string): boolean =>
  lowerIsBetter.has(measure) || /perplexity|bits_per_byte/.test(measure);

/** A measure at one removal: the whole model's, and how far from it, with a 95% interval. */
export interface CurvePoint {
  /** As the plan has it: a number of units, or a share; 0 for the whole model. */
  readonly removal: number;
  /** Units gone, of the model's parameters the share, of the cache per token the share; means over draws. */
  readonly units: number;
  readonly parameterShare: number;
  readonly kvShare: number;
  /** Mean over draws of the evaluation's first measure; null where one is not finite or missing. */
  readonly value: number | null;
  /** Above the whole model's value: over draws, or over items where there is one draw. */
  readonly above: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** What each draw has, in their order. */
  readonly draws: readonly (number | null)[];
  /** Ids of the subnetworks, one per draw. */
  readonly subnetworks: readonly string[];
}

/** One ranking, with one repair or none, on one evaluation. */
export interface Curve {
  readonly model: string;
  readonly calibration: string;
  readonly ranking: string;
  /** Null: nothing is in place. */
  readonly repair: string | null;
  readonly evaluation: string;
  /** The evaluation's first measure. */
  readonly measure: string;
  readonly whole: number;
  /** The whole model first. */
  readonly points: readonly CurvePoint[];
}

/** Every curve of a record that has at least one measured point beside the whole model. */
export function curvesOf(record: StudyRecord): Curve[] {
  const results = new Map(record.results.map((one) => [`${one.subnetwork} ${one.evaluation}`, one]));
  const subnetworks = new Map(record.subnetworks.map((one) => [one.id, one]));
  const curves: Curve[] = [];
  const lines = groupBy(record.points, ({ model, calibration, ranking, repair }) =>
    JSON.stringify([model, calibration, ranking, repair]),
  );
  for (const points of lines.values()) {
    const [first] = points;
    if (first === undefined) continue;
    const { model, calibration, ranking, repair } = first;
    const whole = record.subnetworks.find(
      (one) => one.model === model && one.removed.length === 0 && one.repair === null,
    );
    if (whole === undefined) continue;
    for (const { name: evaluation } of record.plan.evaluations) {
      const dense = results.get(`${whole.id} ${evaluation}`);
      const [measure] = Object.keys(dense?.values ?? {});
      const value = measure === undefined ? null : (dense?.values[measure]?.value ?? null);
      if (measure === undefined || value === null) continue;
      const at = (subnetwork: string | null) => {
        const result = subnetwork === null ? undefined : results.get(`${subnetwork} ${evaluation}`);
        return result === undefined || result.error !== null ? undefined : result;
      };
      const byRemoval = groupBy(points, ({ removal }) => removal);
      const measured = [...byRemoval].map(([removal, own]): CurvePoint => {
        const found = own.map(({ subnetwork }) => at(subnetwork));
        const draws = found.map((one) => one?.values[measure]?.value ?? null);
        const nets = own.flatMap(({ subnetwork }) =>
          subnetwork === null ? [] : (subnetworks.get(subnetwork) ?? []),
        );
        const share = (cost: "parameters" | "kv-bytes") => {
          const all = whole.costs[cost] ?? 0;
          return all === 0 ? 0 : meanOf(nets.map((net) => (all - (net.costs[cost] ?? all)) / all));
        };
        return {
          removal,
          units: nets.length === 0 ? removal : meanOf(nets.map(({ removed }) => removed.length)),
          parameterShare: share("parameters"),
          kvShare: share("kv-bytes"),
          ...intervalOf(
            draws,
            value,
            found.map((one) => one?.aboveWhole ?? null),
            found[0]?.perItem?.length ?? 0,
          ),
          draws,
          subnetworks: nets.map(({ id }) => id),
        };
      });
      if (measured.every((point) => point.value === null)) continue;
      const start: CurvePoint = {
        removal: 0,
        units: 0,
        parameterShare: 0,
        kvShare: 0,
        value,
        above: 0,
        low: 0,
        high: 0,
        draws: [value],
        subnetworks: [whole.id],
      };
      const sorted = measured.sort((a, b) => a.removal - b.removal);
      curves.push({
        model,
        calibration,
        ranking,
        repair,
        evaluation,
        measure,
        whole: value,
        points: [start, ...sorted],
      });
    }
  }
  return curves;
}

/** Over draws where there are several, else over the items of the one. */
function intervalOf(
  draws: readonly (number | null)[],
  whole: number,
  above: readonly ({ readonly value: number | null; readonly standardError: number | null } | null)[],
  items: number,
): Pick<CurvePoint, "value" | "above" | "low" | "high"> {
  const known = draws.filter((draw) => draw !== null);
  const none = { value: null, above: null, low: null, high: null };
  if (known.length === 0 || known.length < draws.length) return none;
  const value = meanOf(known);
  if (known.length > 1) {
    const half = (tQuantile(0.975, known.length - 1) * deviationOf(known)) / Math.sqrt(known.length);
    return { value, above: value - whole, low: value - whole - half, high: value - whole + half };
  }
  const [paired] = above;
  const difference = paired?.value ?? value - whole;
  const error = paired?.standardError ?? null;
  if (error === null || items < 2) return { value, above: difference, low: null, high: null };
  const half = tQuantile(0.975, items - 1) * error;
  return { value, above: difference, low: difference - half, high: difference + half };
}

/** How far one subnetwork's figure lies above another's on the same items, with a 95% interval. */
export interface Comparison {
  readonly above: number;
  readonly low: number;
  readonly high: number;
  /** Items, or draws, that it is over. */
  readonly of: number;
}

/**
 * What one list of subnetworks has above another, on one evaluation: over draws where there are several, else
 * item by item. Null where there is nothing to compare.
 */
export function compareSubnetworks(
  record: StudyRecord,
  evaluation: string,
  one: readonly string[],
  other: readonly string[],
): Comparison | null {
  const itemsOf = (id: string | undefined) =>
    record.results.find((result) => result.subnetwork === id && result.evaluation === evaluation)?.perItem ??
    null;
  const differences: number[][] = [];
  for (const [at, id] of one.entries()) {
    const [mine, theirs] = [itemsOf(id), itemsOf(other[at])];
    if (mine === null || theirs === null || mine.length !== theirs.length) return null;
    const own = mine.map((value, item) => (value ?? Number.NaN) - (theirs[item] ?? Number.NaN));
    if (own.some(Number.isNaN)) return null;
    differences.push(own);
  }
  const [only = []] = differences;
  const sample = differences.length > 1 ? differences.map(meanOf) : only;
  if (sample.length < 2) return null;
  const above = meanOf(sample);
  const half = (tQuantile(0.975, sample.length - 1) * deviationOf(sample)) / Math.sqrt(sample.length);
  return { above, low: above - half, high: above + half, of: sample.length };
}
