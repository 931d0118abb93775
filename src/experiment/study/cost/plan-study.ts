/** What a study will cost, told before it is begun. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { StepsFile } from "../../../journal/steps-file.ts";
import { Depthkit } from "../../../model/depthkit.ts";
import { anInstance, aText, type Checks, checkArgument, checkOptions } from "../../../options.ts";
import { packageVersion } from "../../../platform/package-root.ts";
import type { CallOptions } from "../../../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../../../rpc/time-limit.ts";
import { checkOwnFolder } from "../../own-folder.ts";
import { plannedKey } from "../keys.ts";
import type { OpenModel } from "../open.ts";
import type { Plan, SettledPlan } from "../plan.ts";
import { Points } from "../points.ts";
import { withOpenPlan } from "../run.ts";
import type { StepStore } from "../steps.ts";
import { costOfMeasuring } from "./cost-measuring.ts";
import { costOfRanking } from "./cost-rankings.ts";
import { type StudyCost, studyCostSchema } from "./schema.ts";
import { nothing, plus } from "./span.ts";
import { inOrder, type WorkLeft } from "./work-left.ts";

export interface PlanStudyOptions extends CallOptions {
  /**
   * The folder that the study will run in: what is done there costs nothing, what is measured now is kept
   * for the run, and its record will say how far off this was. Default: nothing is kept.
   */
  folder?: string | undefined;
}

const checks: Checks<PlanStudyOptions> = { ...workerCallChecks, folder: aText };

/** Keeps what is measured for this call alone. */
const keepsNothing: StepStore = { find: () => undefined, keep: async () => {}, knows: () => false };

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function planStudy(kit: Depthkit, plan: Plan, options: PlanStudyOptions): Promise<StudyCost> {
  checkArgument("planStudy", "kit", kit, anInstance(Depthkit, "a Depthkit, as Depthkit.start() gives it"));
  checkOptions("planStudy", options, checks);
  return withTimeLimit("planStudy", options, async (signal) => {
    const { folder, timeoutMs, onProgress } = options;
    const call = { signal, timeoutMs, onProgress };
    return await withOpenPlan(kit, plan, call, async (settled, opened) => {
      if (folder === undefined) return await costOf(settled, opened, keepsNothing, undefined, call);
      await checkOwnFolder(kit, folder, call);
      mkdirSync(folder, { recursive: true });
      await using file = await StepsFile.open(join(folder, "steps.jsonl"));
      return await costOf(settled, opened, file, folder, call);
    });
  });
}

async function costOf(
  settled: SettledPlan,
  models: readonly OpenModel[],
  store: StepStore,
  folder: string | undefined,
  call: CallOptions,
): Promise<StudyCost> {
  const work: WorkLeft[] = [];
  const subnetworks = { expected: 0, most: 0 };
  for (const opened of models) {
    const of = { settled, opened, store, folder, call };
    const ranked = await costOfRanking(of);
    const points = new Points("s", ranked.found, settled.repairs);
    const certain = ranked.found.filter((found) => !ranked.guessed.has(found));
    const sure = new Points("s", certain, settled.repairs);
    const unsure = new Set([...ranked.guessed].map(({ condition, ranking }) => nameOf(condition, ranking)));
    const mayDiffer = points.points.filter(
      ({ condition, ranking, subject }) => subject !== null && unsure.has(nameOf(condition, ranking)),
    );
    subnetworks.expected += points.subjects.length;
    subnetworks.most += sure.subjects.length + mayDiffer.length;
    work.push(...ranked.rows, ...(await costOfMeasuring(of, points, ranked)));
  }
  const cost = costFrom(inOrder(work), models, subnetworks);
  const begun = work.some(({ kind, known }) => known > 0 && kind !== "costs" && kind !== "influence");
  const key = plannedKey(settled, models);
  // What was said before the study was begun stays what was said.
  if (!begun && !store.knows(key)) await store.keep(key, cost.whole);
  return cost;
}

const nameOf = ({ calibration, draw }: { calibration: { name: string }; draw: number }, ranking: string) =>
  JSON.stringify([calibration.name, draw, ranking]);

function costFrom(
  work: readonly WorkLeft[],
  models: readonly OpenModel[],
  subnetworks: StudyCost["subnetworks"],
): StudyCost {
  const told = work.filter(({ untold }) => untold === null);
  const sum = (of: (one: WorkLeft) => number | null) => work.reduce((all, one) => all + (of(one) ?? 0), 0);
  return studyCostSchema.parse({
    costVersion: 1,
    depthkitVersion: packageVersion(),
    devices: models.map(({ model }) => model.info.device),
    rows: work.map(({ row }) => row),
    subnetworks,
    blockEvaluations: sum((one) => one.blockEvaluations),
    tokens: sum((one) => one.tokens),
    bytes: Math.round(sum(({ bytes }) => bytes)),
    ...told.reduce((all, { left }) => plus(all, left), nothing),
    whole: told.reduce((all, { whole }) => plus(all, whole), nothing),
    untold: work.filter(({ untold }) => untold !== null).map(({ what, untold }) => `${what}: ${untold}`),
  } satisfies StudyCost);
}
