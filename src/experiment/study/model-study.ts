/** A study of one model: what is ranked, then everything that the rankings lead to. */
import type { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { Influence, type InfluenceData } from "../../model/influence.ts";
import { FitInfluence } from "../../model/search/fit-influence.ts";
import type { UnitCosts } from "../../model/search/unit-costs.ts";
import { type Findings, measureAll } from "./measuring.ts";
import type { Condition, OpenModel } from "./open.ts";
import type { SettledPlan, SettledRanking } from "./plan.ts";
import { type Found, Points } from "./points.ts";
import { rank } from "./rank.ts";
import { costsSchema, type Failure, influenceSchema, rankedSchema } from "./record.ts";
import { isFailure, type Steps } from "./steps.ts";

export interface ModelStudy {
  readonly opened: OpenModel;
  readonly costs: z.output<typeof costsSchema>;
  readonly influence: readonly {
    readonly condition: Condition;
    readonly data: z.output<typeof influenceSchema>;
  }[];
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
  const { model, key } = opened;
  const seconds = !Array.isArray(settled.removals) && settled.removals.of === "seconds";
  const costs = done(
    await steps.step("costs", { step: "costs", seconds, of: key }, costsSchema, async (call) =>
      costsSchema.parse(await model.unitCosts({ seconds, ...call })),
    ),
  );
  const influence: { condition: Condition; data: z.output<typeof influenceSchema> }[] = [];
  const found: Found[] = [];
  const failed: { condition: Condition; ranking: string; error: Failure }[] = [];
  for (const condition of opened.conditions) {
    const data = done(
      await steps.step(
        `influence${on(condition, settled)}`,
        { step: "influence", of: [key, condition.key] },
        influenceSchema,
        async (call) => influenceSchema.parse((await model.influence(condition.measured, call)).data),
      ),
    );
    influence.push({ condition, data });
    const measured = new Influence({ ...data, seconds: 0 } as InfluenceData);
    const known = { ...condition, influence: new FitInfluence(model.subject, condition.measured, measured) };
    for (const ranking of settled.rankings) {
      const ranked = await steps.step(
        `ranking ${ranking.name}${on(condition, settled)}`,
        rankingKey(work, ranking, condition),
        rankedSchema,
        (call) =>
          rank(ranking, {
            opened,
            condition: known,
            removals: settled.removals,
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
  const findings = await measureAll({ settled, opened, points, steps, folder });
  return { opened, costs, influence, found, failed, points, findings };
}

/** What everything else rests on. */
function done<T>(value: T | Failure): T {
  if (isFailure(value)) throw new DepthkitError(value.code, value.message);
  return value;
}

const on = ({ calibration, draw }: Condition, { draws, calibrations }: SettledPlan): string =>
  [calibrations.length > 1 ? ` on ${calibration.name}` : "", draws > 1 ? `, draw ${draw}` : ""].join("");

function rankingKey({ settled, opened }: StudyWork, ranking: SettledRanking, condition: Condition): object {
  const { name, ...asked } = ranking;
  const task = opened.deciding.get(name)?.key ?? null;
  const seed = settled.seed + condition.draw;
  return { step: "ranking", asked, task, removals: settled.removals, seed, of: [opened.key, condition.key] };
}
