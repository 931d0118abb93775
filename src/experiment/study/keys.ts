/** All that determines what a step gives: what it is kept under in the journal. */
import type { Condition, OpenEvaluation, OpenModel } from "./open.ts";
import type { SettledPlan, SettledRanking } from "./plan.ts";
import type { Subject } from "./points.ts";

export const costsKey = ({ key }: OpenModel, seconds: boolean): object => ({
  step: "costs",
  seconds,
  of: key,
});

export const influenceKey = ({ key }: OpenModel, condition: Condition): object => ({
  step: "influence",
  of: [key, condition.key],
});

export function rankingKey(
  { seed: first, removals, exportable }: SettledPlan,
  opened: OpenModel,
  ranking: SettledRanking,
  condition: Condition,
): object {
  const { name, ...asked } = ranking;
  const task = opened.deciding.get(name)?.key ?? null;
  const seed = first + condition.draw;
  const into = exportable === undefined ? {} : { exportable };
  return { step: "ranking", asked, task, removals, ...into, seed, of: [opened.key, condition.key] };
}

export function evaluationKey(
  { key }: OpenModel,
  { evaluation, data, digest }: OpenEvaluation,
  { removed, repair }: Subject,
): object {
  const { name: _, where: __, ...asked } = evaluation;
  const read = data?.info ?? digest ?? null;
  return { step: "evaluation", asked, data: read, removed, fitted: fitted(repair), of: key };
}

export const fitKey = ({ key }: OpenModel, { removed, repair }: Subject): object => ({
  step: "fit",
  fitted: fitted(repair),
  removed,
  of: key,
});

export function textKey(
  { key }: OpenModel,
  texts: NonNullable<SettledPlan["texts"]>,
  { removed, repair }: Subject,
): object {
  const { prompts, where: _, ...options } = texts;
  return { step: "text", prompts, options, removed, fitted: fitted(repair), of: key };
}

const fitted = (repair: Subject["repair"]): object | null =>
  repair && { steps: repair.settled.steps, on: repair.condition.measured.key };

/** Under which the cost is kept that was told before a study was begun. */
export const plannedKey = (plan: SettledPlan, models: readonly OpenModel[]): object => ({
  step: "planned",
  plan,
  of: models.map(({ key, conditions }) => [key, conditions.map((condition) => condition.key)]),
});
