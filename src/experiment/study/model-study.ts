/** A study of one model: what is ranked, then everything that the rankings lead to. */
import type { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { Influence, type InfluenceData } from "../../model/influence.ts";
import { FitInfluence } from "../../model/search/fit-influence.ts";
import type { UnitCosts } from "../../model/search/unit-costs.ts";
import { measuringSteps } from "./count-steps.ts";
import { costsKey, influenceKey, rankingKey } from "./keys.ts";
import { type Findings, measureAll } from "./measuring.ts";
import type { Condition, OpenModel } from "./open.ts";
import type { SettledPlan } from "./plan.ts";
import { type Found, Points } from "./points.ts";
import { rank } from "./rank.ts";
import { costsSchema, type Failure, influenceSchema, rankedSchema } from "./record.ts";
import { isFailure, type Steps } from "./steps.ts";

export interface ModelStudy {
  readonly opened: OpenModel;
  readonly costs: Costs;
  readonly influence: readonly { readonly condition: Condition; readonly data: StaticInfluence }[];
  readonly found: readonly Found[];
  /** Rankings that could not be made. */
  readonly failed: readonly {
    readonly condition: Condition;
    readonly ranking: string;
    readonly error: Failure;
  }[];
  readonly points: Points;
  readonly findings: Findings;
}

export interface StudyWork {
  readonly settled: SettledPlan;
  readonly opened: OpenModel;
  readonly steps: Steps;
  readonly folder: string;
  /** Of the names of its subnetworks. */
  readonly prefix: string;
}

export async function studyModel(work: StudyWork): Promise<ModelStudy> {
  const { settled, opened, steps, folder, prefix } = work;
  const costs = await costsOf(work);
  const influence: { condition: Condition; data: StaticInfluence }[] = [];
  const found: Found[] = [];
  const failed: { condition: Condition; ranking: string; error: Failure }[] = [];
  for (const condition of opened.conditions) {
    const data = await influenceOf(work, condition);
    influence.push({ condition, data });
    const known = knowing(opened, condition, data);
    for (const ranking of settled.rankings) {
      const ranked = await steps.step(
        `ranking ${ranking.name}${on(condition, settled)}`,
        rankingKey(settled, opened, ranking, condition),
        rankedSchema,
        (call) =>
          rank(ranking, {
            opened,
            condition: known,
            removals: settled.removals,
            exportable: settled.exportable,
            costs: costs as UnitCosts,
            seed: settled.seed + condition.draw,
            folder,
            call,
          }),
      );
      if (isFailure(ranked)) failed.push({ condition, ranking: ranking.name, error: ranked });
      else found.push({ condition, ranking: ranking.name, ranked });
    }
  }
  const points = new Points(prefix, found, settled.repairs);
  steps.more(measuringSteps(opened, settled, points));
  const findings = await measureAll({ settled, opened, points, steps, folder });
  return { opened, costs, influence, found, failed, points, findings };
}

type Costs = z.output<typeof costsSchema>;
export type StaticInfluence = z.output<typeof influenceSchema>;
type Beginning = Pick<StudyWork, "settled" | "opened" | "steps">;

/** What units cost, counted, and timed where removals are by time. */
export async function costsOf({ settled, opened, steps }: Beginning): Promise<Costs> {
  const seconds = !Array.isArray(settled.removals) && settled.removals.of === "seconds";
  return done(
    await steps.step("costs", costsKey(opened, seconds), costsSchema, async (call) =>
      costsSchema.parse(await opened.model.unitCosts({ seconds, ...call })),
    ),
  );
}

/** Static influence, for all metrics and kinds of unit in one pass. */
export async function influenceOf(
  { settled, opened, steps }: Beginning,
  condition: Condition,
): Promise<StaticInfluence> {
  return done(
    await steps.step(
      `influence${on(condition, settled)}`,
      influenceKey(opened, condition),
      influenceSchema,
      async (call) => influenceSchema.parse((await opened.model.influence(condition.measured, call)).data),
    ),
  );
}

/** The condition with its influence, which is not measured again. */
export function knowing({ model }: OpenModel, condition: Condition, data: StaticInfluence): Condition {
  const measured = new Influence({ ...data, seconds: 0 } as InfluenceData);
  return { ...condition, influence: new FitInfluence(model.subject, condition.measured, measured) };
}

/** What everything else rests on. */
function done<T>(value: T | Failure): T {
  if (isFailure(value)) throw new DepthkitError(value.code, value.message);
  return value;
}

export const on = ({ calibration, draw }: Condition, { draws, calibrations }: SettledPlan): string =>
  [calibrations.length > 1 ? ` on ${calibration.name}` : "", draws > 1 ? `, draw ${draw}` : ""].join("");
