/** How many steps a study has: of ranking before anything is begun, of measuring once rankings are made. */
import { isShared } from "./measure.ts";
import { batchesOf } from "./measuring.ts";
import type { OpenModel } from "./open.ts";
import type { SettledPlan } from "./plan.ts";
import type { Points, Subject } from "./points.ts";

/** Costs, and of each draw of each text its influence and its rankings. */
export const rankingSteps = ({ conditions }: OpenModel, { rankings }: SettledPlan): number =>
  1 + conditions.length * (1 + rankings.length);

/** At most: a repair that does not apply is not measured. */
export function measuringSteps(
  { model, evaluations }: OpenModel,
  { texts }: SettledPlan,
  points: Points,
): number {
  const wanted = evaluations.map((opened) => ({
    shared: isShared(opened),
    by: new Set(points.wantedBy(opened.evaluation.where)),
  }));
  const written = new Set(texts === undefined ? [] : points.wantedBy(texts.where));
  const stepsOn = (subjects: readonly Subject[]) => {
    const measured = wanted.map(({ shared, by }) => {
      const count = subjects.filter((subject) => by.has(subject)).length;
      return shared ? Math.min(1, count) : count;
    });
    const told = subjects.filter((subject) => written.has(subject)).length;
    return measured.reduce((sum, count) => sum + count, told);
  };
  const bare = points.subjects.filter(({ repair }) => repair === null);
  const batches = batchesOf(points.subjects, model.trainingsAtOnce);
  return batches.reduce((sum, batch) => sum + batch.length + stepsOn(batch), stepsOn(bare));
}
