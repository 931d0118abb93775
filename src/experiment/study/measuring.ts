/** Every subnetwork of a model on every evaluation that wants it. */
import { join } from "node:path";
import { z } from "zod";
import { present } from "../../arrays.ts";
import { atOnce } from "../../at-once.ts";
import { objectDigest } from "../../journal/key.ts";
import type { RepairedSubnetwork, Subnetwork } from "../../model/model.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { trains, withCheckpoints } from "../checkpoints.ts";
import { isLowerBetter } from "./curves.ts";
import { evaluationKey, fitKey, textKey } from "./keys.ts";
import { isShared, measureAlone, measureTogether, type Shared, type Taken, takenSchema } from "./measure.ts";
import type { OpenEvaluation, OpenModel } from "./open.ts";
import type { SettledPlan } from "./plan.ts";
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
  const { subjects } = work.points;
  const bare = subjects.filter(({ repair }) => repair === null);
  await measureOn(work, bare, async (subject) => bareOf(work, subject), found);
  for (const batch of batchesOf(subjects, work.opened.model.trainingsAtOnce)) {
    await measureRepaired(work, batch, found);
  }
  return found;
}

/** Subnetworks on everything that wants them; `make` gives one where a value is missing. */
async function measureOn(
  work: Measuring,
  subjects: readonly Subject[],
  make: Make,
  found: Findings,
): Promise<void> {
  const { opened, points } = work;
  for (const evaluation of opened.evaluations) {
    const all = points.wantedBy(evaluation.evaluation.where);
    const wanted = subjects.filter((subject) => all.includes(subject));
    if (isShared(evaluation)) await measureSets(work, evaluation, wanted, make, found);
    else for (const subject of wanted) await measureOne(work, evaluation, subject, make, found);
  }
  for (const subject of subjects) await writeText(work, subject, make, found);
}

type Make = (subject: Subject, call: CallOptions) => Promise<Subnetwork>;

/** Repairs held at a time: fitted in closed form they are small, and what is trained may not be. */
const heldTogether = 8;

/** The repaired subnetworks, those of a batch held together: of trained ones as many as train at once. */
export function batchesOf(subjects: readonly Subject[], trainingsAtOnce: number): Subject[][] {
  const batches: Subject[][] = [];
  for (const subject of subjects.filter(({ repair }) => repair !== null)) {
    const last = batches.at(-1);
    const trained = isTrained(subject);
    const most = trained ? trainingsAtOnce : heldTogether;
    const fits = last?.every((one) => isTrained(one) === trained) && last.length < most;
    if (last !== undefined && fits) last.push(subject);
    else batches.push([subject]);
  }
  return batches;
}

export const isTrained = ({ repair }: Subject): boolean => repair?.settled.steps.some(trains) ?? false;

const bareOf = ({ opened }: Measuring, { removed }: Subject): Subnetwork => opened.model.without(removed);

function note(
  { opened, steps }: Measuring,
  found: Findings,
  subject: Subject,
  evaluation: string,
  taken: Taken | Failure,
): void {
  const own = found.taken.get(subject) ?? new Map<string, Taken | Failure>();
  own.set(evaluation, taken);
  found.taken.set(subject, own);
  if (isFailure(taken)) return;
  const { values } = taken.outcome;
  const measure = "perplexity" in values ? "perplexity" : (Object.keys(values)[0] ?? "");
  const value = values[measure]?.value ?? null;
  if (value === null) return;
  steps.tell({
    kind: "measured",
    model: opened.name,
    evaluation,
    removed: subject.removed.length,
    repair: subject.repair?.settled.name ?? null,
    measure,
    value,
    lowerIsBetter: isLowerBetter(measure),
  });
}

/** Together, since what they share is computed once; each is kept as it is finished. */
async function measureSets(
  work: Measuring,
  opened: Shared,
  wanted: readonly Subject[],
  make: Make,
  found: Findings,
): Promise<void> {
  if (wanted.length === 0) return;
  const { steps } = work;
  const { name } = opened.evaluation;
  const missing: Subject[] = [];
  const done: Taken[] = [];
  const take = (subject: Subject, taken: Taken) => {
    done.push(taken);
    note(work, found, subject, name, taken);
  };
  for (const subject of wanted) {
    const known = steps.find(evaluationKey(work.opened, opened, subject), takenSchema);
    if (known === undefined) missing.push(subject);
    else take(subject, known);
  }
  const repaired = wanted.some(({ repair }) => repair !== null) ? " with repairs" : "";
  const step = `${name}: ${wanted.length} subnetworks${repaired}`;
  const subnetworks: Subnetwork[] = [];
  for (const subject of missing) subnetworks.push(await make(subject, steps.call(step)));
  const failure = await orFailure(() =>
    measureTogether(
      opened,
      subnetworks,
      async (place, taken) => {
        const subject = missing[place];
        if (subject === undefined) return;
        await steps.keep(evaluationKey(work.opened, opened, subject), taken);
        take(subject, taken);
      },
      steps.call(step),
    ),
  );
  if (isFailure(failure)) for (const subject of missing) note(work, found, subject, name, failure);
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
  make: Make,
  found: Findings,
): Promise<void> {
  const { name } = opened.evaluation;
  const journal = join(work.folder, "items");
  const label = `${name}: ${describe(subject)}`;
  const taken = await work.steps.step(
    label,
    evaluationKey(work.opened, opened, subject),
    takenSchema,
    async (call) => measureAlone(opened, await make(subject, call), { journal, ...call }),
  );
  note(work, found, subject, name, taken);
}

const describe = ({ removed, repair }: Subject): string => {
  const what = removed.length === 0 ? "the whole model" : `without ${removed.join(", ")}`;
  return repair === null ? what : `${what}, ${repair.settled.name}`;
};

/** Repairs are fitted, measured on everything that wants them, and given back. */
async function measureRepaired(work: Measuring, batch: readonly Subject[], found: Findings): Promise<void> {
  const { opened, steps } = work;
  const fitted = new Map<Subject, Fitted>();
  const keyOf = (subject: Subject) => fitKey(opened, subject);
  const fitOf = async (subject: Subject, call: CallOptions): Promise<Fitted> => {
    const made = fitted.get(subject) ?? (await fitSteps(work, subject, keyOf(subject), call));
    fitted.set(subject, made);
    return made;
  };
  try {
    const most = batch.some(isTrained) ? batch.length : 1;
    await atOnce(
      batch,
      most,
      async (subject, signal) => {
        const reports = await steps.step(
          `repair ${describe(subject)}`,
          keyOf(subject),
          z.array(fitReport),
          async (call) => (await fitOf(subject, { ...call, signal })).reports,
        );
        found.fits.set(subject, reports);
      },
      steps.signal,
    );
    const good = batch.filter((subject) => !isFailure(found.fits.get(subject)));
    await measureOn(work, good, async (subject, call) => (await fitOf(subject, call)).subnetwork, found);
  } finally {
    await Promise.all([...fitted.values()].map((made) => made.close()));
  }
}

interface Fitted {
  readonly subnetwork: Subnetwork;
  readonly reports: FitReport[];
  close(): Promise<void>;
}

/** A repair's steps, each on top of the one before; what is trained goes on from its checkpoints. */
async function fitSteps(work: Measuring, subject: Subject, key: object, call: CallOptions): Promise<Fitted> {
  const made: RepairedSubnetwork[] = [];
  const close = async () => void (await Promise.all(made.map((one) => one.close())));
  const checkpoints = join(work.folder, "training", objectDigest(key).slice(0, 16));
  let subnetwork = bareOf(work, subject);
  try {
    const { settled, condition } = present(subject.repair ?? undefined, "a repair to fit");
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
  return { subnetwork, reports: made.map(({ report }) => fitReport.parse(report)), close };
}

async function writeText(work: Measuring, subject: Subject, make: Make, found: Findings): Promise<void> {
  const { settled, opened, points, steps } = work;
  const { texts } = settled;
  if (texts === undefined || !points.wantedBy(texts.where).includes(subject)) return;
  const { prompts, where: _, ...options } = texts;
  const key = textKey(opened, texts, subject);
  const label = `text: ${describe(subject)}`;
  const written = await steps.step(label, key, writtenSchema, async (call) =>
    writtenSchema.parse(await (await make(subject, call)).generate(prompts, { ...options, ...call })),
  );
  found.texts.set(subject, written);
}
