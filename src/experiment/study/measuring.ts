/** Every subnetwork of a model on every evaluation that wants it. */
import { join } from "node:path";
import { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { objectDigest } from "../../journal/key.ts";
import type { RepairedSubnetwork, Subnetwork } from "../../model/model.ts";
import type { RepairOptions } from "../../model/repair.ts";
import { trainedMethods } from "../../protocol/repair.ts";
import type { CallOptions } from "../../rpc/connection.ts";
import { isShared, measureAlone, measureTogether, type Taken, takenSchema } from "./measure.ts";
import type { OpenEvaluation, OpenModel } from "./open.ts";
import type { SettledPlan, SettledRepair } from "./plan.ts";
import type { Points, Subject } from "./points.ts";
import { type Failure, type FitReport, fitReport, type Written, writtenSchema } from "./record.ts";
import { isFailure, orFailure, type Steps } from "./steps.ts";

/** What all of it is done with. */
export interface Measuring {
  readonly settled: SettledPlan;
  readonly opened: OpenModel;
  readonly points: Points;
  readonly steps: Steps;
  readonly folder: string;
}

/** What was found, by subnetwork and by evaluation. */
export interface Findings {
  readonly taken: Map<Subject, Map<string, Taken | Failure>>;
  /** Reports of a repair's steps. */
  readonly fits: Map<Subject, readonly FitReport[] | Failure>;
  readonly texts: Map<Subject, Written | Failure>;
}

export async function measureAll(work: Measuring): Promise<Findings> {
  const found: Findings = { taken: new Map(), fits: new Map(), texts: new Map() };
  const { opened, points } = work;
  for (const evaluation of opened.evaluations) {
    const wanted = points.wantedBy(evaluation.evaluation.where).filter(({ repair }) => repair === null);
    if (isShared(evaluation)) await measureSets(work, evaluation, wanted, found);
    else
      for (const subject of wanted) await measureOne(work, evaluation, subject, bareOf(work, subject), found);
  }
  for (const subject of points.subjects) {
    if (subject.repair === null) await writeText(work, subject, async () => bareOf(work, subject), found);
    else await measureRepaired(work, subject, subject.repair, found);
  }
  return found;
}

const bareOf = ({ opened }: Measuring, { removed }: Subject): Subnetwork => opened.model.without(removed);

/** All that determines what a subnetwork has on an evaluation. */
function keyOf(
  { opened }: Measuring,
  { evaluation, data }: OpenEvaluation,
  { removed, repair }: Subject,
): object {
  const { name: _, where: __, ...asked } = evaluation;
  const fitted = repair && fittedKey(repair);
  return { step: "evaluation", asked, data: data?.info ?? null, removed, fitted, of: opened.key };
}

const fittedKey = ({ settled, condition }: NonNullable<Subject["repair"]>): object => ({
  steps: settled.steps,
  on: condition.measured.key,
});

function note(found: Findings, subject: Subject, evaluation: string, taken: Taken | Failure): void {
  const own = found.taken.get(subject) ?? new Map<string, Taken | Failure>();
  own.set(evaluation, taken);
  found.taken.set(subject, own);
}

/** Together, since what they share is computed once; each is kept as it is finished. */
async function measureSets(
  work: Measuring,
  opened: OpenEvaluation,
  wanted: readonly Subject[],
  found: Findings,
): Promise<void> {
  if (!isShared(opened)) return;
  const { steps } = work;
  const { name } = opened.evaluation;
  const missing: Subject[] = [];
  const done: Taken[] = [];
  const take = (subject: Subject, taken: Taken) => {
    done.push(taken);
    note(found, subject, name, taken);
  };
  for (const subject of wanted) {
    const known = steps.find(keyOf(work, opened, subject), takenSchema);
    if (known === undefined) missing.push(subject);
    else take(subject, known);
  }
  const step = `${name}: ${wanted.length} subnetworks`;
  const failure = await orFailure(() =>
    measureTogether(
      opened,
      missing.map((subject) => bareOf(work, subject)),
      async (place, taken) => {
        const subject = missing[place];
        if (subject === undefined) return;
        await steps.keep(keyOf(work, opened, subject), taken);
        take(subject, taken);
      },
      steps.call(step),
    ),
  );
  if (isFailure(failure)) for (const subject of missing) note(found, subject, name, failure);
  const blocks = done.flatMap(({ blockEvaluations }) => blockEvaluations ?? []);
  const total = {
    step,
    seconds: done.reduce((sum, { seconds }) => sum + seconds, 0),
    blockEvaluations: blocks.length === 0 ? null : blocks.reduce((sum, one) => sum + one, 0),
  };
  steps.finished(total, failure, missing.length === 0);
}

async function measureOne(
  work: Measuring,
  opened: OpenEvaluation,
  subject: Subject,
  subnetwork: Subnetwork,
  found: Findings,
): Promise<void> {
  const { name } = opened.evaluation;
  const label = `${name}: ${describe(subject)}`;
  const journal = join(work.folder, "items");
  const taken = await work.steps.step(label, keyOf(work, opened, subject), takenSchema, async (call) => {
    if (!isShared(opened)) return await measureAlone(opened, subnetwork, { journal, ...call });
    const only: Taken[] = [];
    await measureTogether(opened, [subnetwork], async (_, taken) => void only.push(taken), call);
    const [first] = only;
    if (first === undefined) throw new DepthkitError("INTERNAL", `${label} gave no values.`);
    return first;
  });
  note(found, subject, name, taken);
}

const describe = ({ removed, repair }: Subject): string => {
  const what = removed.length === 0 ? "the whole model" : `without ${removed.join(", ")}`;
  return repair === null ? what : `${what}, ${repair.settled.name}`;
};

/** The repair is fitted, measured on everything that is wanted of it, and given back. */
async function measureRepaired(
  work: Measuring,
  subject: Subject,
  repair: NonNullable<Subject["repair"]>,
  found: Findings,
): Promise<void> {
  const { opened, points, steps } = work;
  const key = { step: "fit", fitted: fittedKey(repair), removed: subject.removed, of: opened.key };
  const label = `repair ${describe(subject)}`;
  let fitted: Fitted | undefined;
  const make = async (call: CallOptions) => {
    fitted ??= await fitSteps(work, subject, repair, key, call);
    return fitted;
  };
  try {
    const reports = await steps.step(
      label,
      key,
      z.array(fitReport),
      async (call) => (await make(call)).reports,
    );
    found.fits.set(subject, reports);
    if (isFailure(reports)) return;
    for (const evaluation of opened.evaluations) {
      if (!points.wantedBy(evaluation.evaluation.where).includes(subject)) continue;
      const known = steps.knows(keyOf(work, evaluation, subject));
      const subnetwork = known ? bareOf(work, subject) : (await make(steps.call(label))).subnetwork;
      await measureOne(work, evaluation, subject, subnetwork, found);
    }
    await writeText(work, subject, async () => (await make(steps.call(label))).subnetwork, found);
  } finally {
    await fitted?.close();
  }
}

interface Fitted {
  readonly subnetwork: Subnetwork;
  readonly reports: FitReport[];
  close(): Promise<void>;
}

/** A repair's steps, each on top of the one before; what is trained goes on from its checkpoints. */
async function fitSteps(
  work: Measuring,
  subject: Subject,
  {
    settled,
    condition,
  }: { settled: SettledRepair; condition: { measured: Parameters<Subnetwork["repair"]>[0] } },
  key: object,
  call: CallOptions,
): Promise<Fitted> {
  const made: RepairedSubnetwork[] = [];
  const close = async () => void (await Promise.all(made.map((one) => one.close())));
  const checkpoints = join(work.folder, "training", objectDigest(key).slice(0, 16));
  let subnetwork = bareOf(work, subject);
  try {
    for (const [at, step] of settled.steps.entries()) {
      const options = withCheckpoints(step, join(checkpoints, String(at)));
      const repaired = await subnetwork.repair(condition.measured, { ...options, ...call });
      made.push(repaired);
      subnetwork = repaired;
    }
  } catch (error) {
    await close();
    throw error;
  }
  const reports = made.map(({ report }) => fitReport.parse(report));
  return { subnetwork, reports, close };
}

function withCheckpoints(repair: RepairOptions, folder: string): RepairOptions {
  const training = "training" in repair ? repair.training : undefined;
  if (training == null && !trainedMethods.includes(repair.method)) return repair;
  return { ...repair, training: { ...training, folder: training?.folder ?? folder } } as RepairOptions;
}

async function writeText(
  work: Measuring,
  subject: Subject,
  make: () => Promise<Subnetwork>,
  found: Findings,
): Promise<void> {
  const { settled, opened, points, steps } = work;
  const { texts } = settled;
  if (texts === undefined || !points.wantedBy(texts.where).includes(subject)) return;
  const { prompts, where: _, ...options } = texts;
  const { removed, repair } = subject;
  const key = {
    step: "text",
    prompts,
    options,
    removed,
    fitted: repair && fittedKey(repair),
    of: opened.key,
  };
  const label = `text: ${describe(subject)}`;
  const written = await steps.step(label, key, writtenSchema, async (call) =>
    writtenSchema.parse(await (await make()).generate(prompts, { ...options, ...call })),
  );
  found.texts.set(subject, written);
}
