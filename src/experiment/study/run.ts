/** Runs a plan: refused whole or begun, each step done once, and one record at the end. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { StepsFile } from "../../journal/steps-file.ts";
import { Depthkit } from "../../model/depthkit.ts";
import {
  aFunction,
  anInstance,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  type Fault,
  refuse,
  required,
} from "../../options.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import { checkOwnFolder } from "../own-folder.ts";
import { writeRecord } from "../write-record.ts";
import { plannedSchema } from "./cost/schema.ts";
import { rankingSteps } from "./count-steps.ts";
import { FaultList } from "./fault-list.ts";
import { plannedKey } from "./keys.ts";
import { type ModelStudy, studyModel } from "./model-study.ts";
import { type OpenModel, openModel } from "./open.ts";
import type { Plan, SettledPlan } from "./plan.ts";
import type { StudyRecord } from "./record.ts";
import { recordOf } from "./record-of.ts";
import { settlePlan } from "./settle.ts";
import { Steps, type StudyEvent } from "./steps.ts";

export interface RunOptions extends CallOptions {
  /** Where journals and `record.json` go. A study that was interrupted goes on from them. */
  folder: string;
  /** Hears of each step as it is finished. */
  onEvent?: ((event: StudyEvent) => void) | undefined;
}

const runChecks: Checks<RunOptions> = { ...workerCallChecks, folder: required(aText), onEvent: aFunction };

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function runPlan(kit: Depthkit, plan: Plan, options: RunOptions): Promise<StudyRecord> {
  checkArgument("runPlan", "kit", kit, anInstance(Depthkit, "a Depthkit, as Depthkit.start() gives it"));
  checkOptions("runPlan", options, runChecks);
  return withTimeLimit("runPlan", options, (signal) => run(kit, plan, { ...options, signal }));
}

async function run(kit: Depthkit, plan: Plan, options: RunOptions): Promise<StudyRecord> {
  const { folder, signal, timeoutMs, onProgress } = options;
  const startedAt = new Date().toISOString();
  return await withOpenPlan(kit, plan, { signal, timeoutMs, onProgress }, async (settled, opened) => {
    await checkOwnFolder(kit, folder, { signal, timeoutMs });
    mkdirSync(folder, { recursive: true });
    await using file = await StepsFile.open(join(folder, "steps.jsonl"));
    const steps = new Steps(file, options);
    const planned = file.find(plannedKey(settled, opened), plannedSchema) ?? null;
    steps.begin(
      opened.reduce((sum, one) => sum + rankingSteps(one, settled), 0),
      planned,
    );
    const studies: ModelStudy[] = [];
    for (const [at, one] of opened.entries()) {
      const prefix = opened.length > 1 ? `m${at}.s` : "s";
      studies.push(await studyModel({ settled, opened: one, steps, folder, prefix }));
    }
    const record = await recordOf(
      kit,
      settled,
      studies,
      { startedAt, steps: steps.done, planned },
      { signal, timeoutMs },
    );
    writeRecord(join(folder, "record.json"), record);
    return record;
  });
}

/**
 * Does something with everything that a plan names, opened.
 *
 * @throws DepthkitError INVALID_ARGUMENT with all that is wrong with the plan, before anything is begun
 */
export async function withOpenPlan<T>(
  kit: Depthkit,
  plan: Plan,
  call: CallOptions,
  work: (settled: SettledPlan, opened: readonly OpenModel[]) => Promise<T>,
): Promise<T> {
  const { plan: settled, faults, written } = settlePlan(plan);
  const list = new FaultList(written);
  const opened: OpenModel[] = [];
  try {
    // Entries without faults are opened all the same: what is wrong with the others is told along with these.
    for (const one of settled.models) {
      const model = await openModel(kit, settled, one, list, call);
      if (model !== undefined) opened.push(model);
    }
    refuse("The plan", distinct([...faults, ...list.faults]));
    return await work(settled, opened);
  } finally {
    await Promise.allSettled(opened.map(({ model }) => model.close()));
  }
}

/** Entries of one grid, and several models, have the same faults. */
function distinct(faults: readonly Fault[]): Fault[] {
  const byText = new Map(faults.map((fault) => [`${fault.path}\n${fault.words}`, fault]));
  return [...byText.values()];
}
