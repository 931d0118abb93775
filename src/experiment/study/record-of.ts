/** A study's findings as one document. */
import { arch, platform } from "node:os";
import { filesFor } from "../../evaluation/paths.ts";
import type { Depthkit } from "../../model/depthkit.ts";
import { packageVersion } from "../../platform/package-root.ts";
import type { UnitName } from "../../protocol/common.ts";
import { parseUnit } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { Planned } from "./cost/schema.ts";
import { otherBytes } from "./known-texts.ts";
import { pairedAbove, type Taken } from "./measure.ts";
import type { ModelStudy } from "./model-study.ts";
import type { Condition } from "./open.ts";
import type { SettledPlan } from "./plan.ts";
import type { Subject } from "./points.ts";
import { type Failure, type FitReport, recordSchema, type StudyRecord } from "./record.ts";
import { type DoneStep, isFailure } from "./steps.ts";

interface Went {
  readonly startedAt: string;
  readonly steps: readonly DoneStep[];
  /** Told before it was begun. */
  readonly planned: Planned | null;
}

export async function recordOf(
  kit: Depthkit,
  plan: SettledPlan,
  studies: readonly ModelStudy[],
  { startedAt, steps, planned }: Went,
  call: CallOptions,
): Promise<StudyRecord> {
  const parts = studies.map(partOf);
  const files = await digestsOf(kit, plan, call);
  return recordSchema.parse({
    recordVersion: 3,
    depthkitVersion: packageVersion(),
    plan,
    environment: {
      node: process.versions.node,
      platform: `${platform()} ${arch()}`,
      worker: await kit.environment(call),
    },
    files,
    models: parts.map(({ model }) => model),
    calibrations: parts.flatMap(({ calibrations }) => calibrations),
    influence: parts.flatMap(({ influence }) => influence),
    rankings: parts.flatMap(({ rankings }) => rankings),
    evaluations: parts.flatMap(({ evaluations }) => evaluations),
    subnetworks: parts.flatMap(({ subnetworks }) => subnetworks),
    points: parts.flatMap(({ points }) => points),
    results: parts.flatMap(({ results }) => results),
    texts: parts.flatMap(({ texts }) => texts),
    warnings: [...new Set([...otherBytes(files), ...parts.flatMap(({ warnings }) => warnings)])],
    timings: {
      startedAt,
      finishedAt: new Date().toISOString(),
      steps: [...steps],
      took: steps.reduce((sum, { seconds }) => sum + seconds, 0),
      planned,
      profiles: parts.flatMap(({ profiles }) => profiles),
    },
  } satisfies StudyRecord);
}

/** sha256 of the bytes of every file that the plan names as data. */
async function digestsOf(
  kit: Depthkit,
  plan: SettledPlan,
  call: CallOptions,
): Promise<Record<string, string>> {
  const asked = [...plan.evaluations, ...plan.rankings.flatMap((one) => ("on" in one ? (one.on ?? []) : []))];
  const named = [
    ...plan.calibrations.map(({ data }) => data),
    ...asked.flatMap((one) => ("data" in one ? [one.data] : [])),
    ...asked.flatMap((one) => ("shotsFrom" in one ? (one.shotsFrom ?? []) : [])),
  ];
  const files = [...new Set(named.flatMap(filesIn))];
  if (files.length === 0) return {};
  const { result } = await kit.connection.call(
    "files.digest",
    { files: filesFor(kit.connection, files) },
    call,
  );
  return Object.fromEntries(files.map((file, at) => [file, result.digests[at] ?? ""]));
}

function filesIn(data: unknown): string[] {
  if (typeof data === "string") return [data];
  if (Array.isArray(data)) return data.filter((one) => typeof one === "string");
  const { files = [] } = data as { files?: readonly string[] };
  return [...files];
}

function partOf({ opened, costs, influence, found, failed, points, findings }: ModelStudy) {
  const model = opened.name;
  const under = ({ calibration, draw }: Condition) => ({ model, calibration: calibration.name, draw });
  const { loadSeconds: _, ...info } = opened.model.info;
  const taken = (subject: Subject, name: string) => findings.taken.get(subject)?.get(name);
  const results = points.subjects.flatMap((subject) =>
    opened.evaluations.flatMap(({ evaluation: { name } }) => {
      const own = taken(subject, name);
      const whole = taken(points.whole, name);
      return own === undefined ? [] : [resultOf(subject, name, own, whole)];
    }),
  );
  const written = points.subjects.flatMap((subject) => {
    const text = findings.texts.get(subject);
    return text === undefined || isFailure(text) ? [] : [{ subnetwork: subject.id, generation: text }];
  });
  return {
    model: { name: model, info, costs },
    calibrations: opened.conditions.map((condition) => ({
      ...under(condition),
      measured: condition.measured.info,
      deciding: condition.deciding.map(({ info: of }) => of),
    })),
    influence: influence.map(({ condition, data }) => ({ ...under(condition), data })),
    rankings: [
      ...found.map(({ condition, ranking, ranked }) => ({
        ...under(condition),
        ranking,
        ...ranked,
        error: null,
      })),
      ...failed.map(({ condition, ranking, error }) => ({ ...under(condition), ranking, ...nothing, error })),
    ],
    evaluations: opened.evaluations.map(({ evaluation: { name } }) => {
      const whole = taken(points.whole, name);
      const missing = whole === undefined || isFailure(whole);
      return {
        model,
        evaluation: name,
        protocol: missing ? {} : whole.protocol,
        error: whole !== undefined && isFailure(whole) ? whole : null,
      };
    }),
    subnetworks: points.subjects.map((subject) =>
      subnetworkOf(model, subject, costs, findings.fits.get(subject)),
    ),
    points: points.points.map(({ condition, ranking, removal, repair, subject }) => ({
      ...under(condition),
      ranking,
      removal,
      repair,
      subnetwork: subject?.id ?? null,
    })),
    results,
    texts: written,
    warnings: [
      ...info.notes.map((note) => `${model}: ${note}`),
      ...opened.notes,
      ...found.flatMap(({ ranking, ranked }) => ranked.notes.map((note) => `${ranking}: ${note}`)),
    ],
    profiles: points.subjects.flatMap((subject) =>
      opened.evaluations.flatMap(({ evaluation: { name } }) => {
        const own = taken(subject, name);
        if (own === undefined || isFailure(own) || own.profile === undefined) return [];
        return [{ subnetwork: subject.id, evaluation: name, profile: own.profile }];
      }),
    ),
  };
}

const nothing = { units: [], scores: null, estimated: null, sets: [], evaluations: 0, notes: [] };

function resultOf(
  subject: Subject,
  evaluation: string,
  own: Taken | Failure,
  whole: Taken | Failure | undefined,
) {
  const at = { subnetwork: subject.id, evaluation };
  if (isFailure(own)) return { ...at, values: {}, perItem: null, aboveWhole: null, error: own };
  const { values, perItem } = own.outcome;
  const than = whole === undefined || isFailure(whole) ? null : whole.outcome.perItem;
  return { ...at, values, perItem, aboveWhole: pairedAbove(perItem, than), error: null };
}

function subnetworkOf(
  model: string,
  { id, removed, repair }: Subject,
  costs: ModelStudy["costs"],
  fit: readonly FitReport[] | Failure | undefined,
) {
  const gone = unitsCounted(removed);
  const left = Object.entries(costs.model).map(([name, of]) => [
    name,
    gone.reduce((sum, unit) => sum - (costs.units[unit]?.[name as keyof typeof costs.model] ?? 0), of ?? 0),
  ]);
  const failure = fit !== undefined && isFailure(fit) ? fit : null;
  return {
    id,
    model,
    removed: [...removed],
    repair: repair && {
      name: repair.settled.name,
      calibration: repair.condition.calibration.name,
      draw: repair.condition.draw,
      reports: fit === undefined || isFailure(fit) ? [] : [...fit],
    },
    costs: Object.fromEntries(left),
    error: failure,
  };
}

/** A block whose sublayers are named one by one costs what they do. */
const unitsCounted = (removed: readonly UnitName[]): UnitName[] =>
  removed.filter(
    (unit) => parseUnit(unit).kind === "block" || !removed.includes(`block.${parseUnit(unit).block}`),
  );
