/** A study as long rows: one for every figure, with all that it is a figure of. */
import { groupBy } from "../../arrays.ts";
import { type Check, checkArgument, isObject } from "../../options.ts";
import type { StudyRecord } from "./record.ts";

/** One figure. */
export interface StudyRow {
  readonly model: string;
  readonly calibration: string;
  readonly draw: number;
  /** Empty for the whole model. */
  readonly ranking: string;
  /** As the plan has it: a number of units, or a share; 0 for the whole model. */
  readonly removal: number;
  /** Units that are gone. */
  readonly removed: readonly string[];
  /** Empty where nothing is in place. */
  readonly repair: string;
  /** Of the model's parameters, what is gone. */
  readonly parametersRemoved: number;
  readonly kvBytesRemoved: number;
  readonly evaluation: string;
  readonly measure: string;
  readonly value: number | null;
  readonly standardError: number | null;
  /** Above the whole model's, item by item, for an evaluation's first measure. */
  readonly aboveWhole: number | null;
  readonly aboveWholeError: number | null;
  /** Why there is no value. */
  readonly error: string;
}

/** That something is a study's record, by its version; `depthkit/schemas` looks at all of it. */
export const aStudyRecord: Check = {
  allowed: "the record of a study, of version 3",
  holds: (value) => isObject(value) && value["recordVersion"] === 3,
};

/**
 * Every figure of a record: of the whole model under each calibration and draw, then of each point.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function studyRows(record: StudyRecord): StudyRow[] {
  checkArgument("studyRows", "record", record, aStudyRecord);
  const subnetworks = new Map(record.subnetworks.map((one) => [one.id, one]));
  const results = groupBy(record.results, ({ subnetwork }) => subnetwork);
  const wholes = new Map(
    record.subnetworks
      .filter(({ removed, repair }) => removed.length === 0 && repair === null)
      .map((one) => [one.model, one]),
  );
  const points = [
    ...record.calibrations.map(({ model, calibration, draw }) => ({
      model,
      calibration,
      draw,
      ranking: "",
      removal: 0,
      repair: null,
      subnetwork: wholes.get(model)?.id ?? null,
    })),
    ...record.points,
  ];
  return points.flatMap((point) => {
    const subnetwork = point.subnetwork === null ? undefined : subnetworks.get(point.subnetwork);
    const whole = wholes.get(point.model);
    const gone = (cost: "parameters" | "kv-bytes") =>
      (whole?.costs[cost] ?? 0) - (subnetwork?.costs[cost] ?? whole?.costs[cost] ?? 0);
    const about = {
      model: point.model,
      calibration: point.calibration,
      draw: point.draw,
      ranking: point.ranking,
      removal: point.removal,
      removed: subnetwork?.removed ?? [],
      repair: point.repair ?? "",
      parametersRemoved: gone("parameters"),
      kvBytesRemoved: gone("kv-bytes"),
    };
    const none = { value: null, standardError: null, aboveWhole: null, aboveWholeError: null };
    const failed = (evaluation: string, error: string): StudyRow => ({
      ...about,
      ...none,
      evaluation,
      measure: "",
      error,
    });
    if (subnetwork === undefined) return [failed("", "The ranking has no set of this size.")];
    if (subnetwork.error !== null) return [failed("", subnetwork.error.message)];
    return (results.get(subnetwork.id) ?? []).flatMap(({ evaluation, values, aboveWhole, error }) => {
      if (error !== null) return [failed(evaluation, error.message)];
      return Object.entries(values).map(
        ([measure, { value, standardError }], at): StudyRow => ({
          ...about,
          evaluation,
          measure,
          value,
          standardError,
          aboveWhole: at === 0 ? (aboveWhole?.value ?? null) : null,
          aboveWholeError: at === 0 ? (aboveWhole?.standardError ?? null) : null,
          error: "",
        }),
      );
    });
  });
}
