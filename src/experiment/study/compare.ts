/** Two studies beside each other: figures are in one row only where they are of one protocol. */
import { checkArgument } from "../../options.ts";
import type { StudyRecord } from "./record.ts";
import { aStudyRecord, type StudyRow, studyRows } from "./rows.ts";

/** One figure that both have, by the same protocol. */
export interface ComparedRow {
  readonly one: StudyRow;
  readonly other: StudyRow;
  /** The other's value less the one's; null where one of them has none. */
  readonly difference: number | null;
}

/** Figures of one name that must not be compared: what differs between their protocols. */
export interface ProtocolDifference {
  readonly model: string;
  readonly evaluation: string;
  /** Where the protocols differ, with both values: `chunk`, `data.digest`, `info.dtype`. */
  readonly fields: readonly { readonly field: string; readonly one: unknown; readonly other: unknown }[];
}

/** Two studies row by row, and in what they differ otherwise. */
export interface StudyComparison {
  readonly rows: readonly ComparedRow[];
  readonly protocols: readonly ProtocolDifference[];
  /** What otherwise differs and may matter: versions, devices, calibration texts, files of one name. */
  readonly notes: readonly string[];
}

/** Fields of a protocol that change no figure. */
const harmless = new Set(["batchSize", "files", "notes", "firstTokens", "maxChunks"]);
/** What of a model a figure is a figure of. */
const modelFields = ["weightsDigest", "dtype", "attention"] as const;

/** @throws DepthkitError INVALID_ARGUMENT */
export function compareStudies(one: StudyRecord, other: StudyRecord): StudyComparison {
  checkArgument("compareStudies", "one", one, aStudyRecord);
  checkArgument("compareStudies", "other", other, aStudyRecord);
  const protocols = one.evaluations.flatMap((mine): ProtocolDifference[] => {
    const { model, evaluation } = mine;
    const theirs = other.evaluations.find((it) => it.model === model && it.evaluation === evaluation);
    if (theirs === undefined) return [];
    const fields = [
      ...differences(mine.protocol, theirs.protocol, ""),
      ...modelDifferences(one, other, model),
    ];
    return fields.length === 0 ? [] : [{ model, evaluation, fields }];
  });
  const barred = new Set(protocols.map(({ model, evaluation }) => JSON.stringify([model, evaluation])));
  const rows = new Map(studyRows(other).map((row) => [keyOf(row), row]));
  const compared = studyRows(one).flatMap((row): ComparedRow[] => {
    const there = rows.get(keyOf(row));
    if (there === undefined || barred.has(JSON.stringify([row.model, row.evaluation]))) return [];
    const difference = row.value === null || there.value === null ? null : there.value - row.value;
    return [{ one: row, other: there, difference }];
  });
  return { rows: compared, protocols, notes: notesOn(one, other) };
}

const keyOf = ({
  model,
  calibration,
  draw,
  ranking,
  removal,
  repair,
  evaluation,
  measure,
}: StudyRow): string =>
  JSON.stringify([model, calibration, draw, ranking, removal, repair, evaluation, measure]);

function differences(one: unknown, other: unknown, path: string): ProtocolDifference["fields"] {
  const bothObjects = [one, other].every(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
  if (!bothObjects) return JSON.stringify(one) === JSON.stringify(other) ? [] : [{ field: path, one, other }];
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => !harmless.has(key))
    .flatMap((key) => differences(a[key], b[key], path === "" ? key : `${path}.${key}`));
}

function modelDifferences(one: StudyRecord, other: StudyRecord, name: string): ProtocolDifference["fields"] {
  const [mine, theirs] = [one, other].map(({ models }) => models.find((model) => model.name === name)?.info);
  if (mine === undefined || theirs === undefined) return [];
  return modelFields.flatMap((field) =>
    mine[field] === theirs[field]
      ? []
      : [{ field: `model.${field}`, one: mine[field], other: theirs[field] }],
  );
}

function notesOn(one: StudyRecord, other: StudyRecord): string[] {
  const files = Object.entries(one.files).flatMap(([name, digest]) => {
    const there = other.files[name];
    return there === undefined || there === digest
      ? []
      : [`${name} has other bytes in the two: sha256 ${digest.slice(0, 12)} and ${there.slice(0, 12)}.`];
  });
  const calibrations = one.calibrations.flatMap(({ model, calibration, draw, measured }) => {
    const there = other.calibrations.find(
      (it) => it.model === model && it.calibration === calibration && it.draw === draw,
    );
    return there === undefined || there.measured.tokensDigest === measured.tokensDigest
      ? []
      : [`${calibration}, draw ${draw}: units were ranked and repairs fitted on other text.`];
  });
  const versions = differences(one.environment, other.environment, "environment").map(
    ({ field, one: mine, other: theirs }) =>
      `${field}: ${JSON.stringify(mine)} and ${JSON.stringify(theirs)}.`,
  );
  const own =
    one.depthkitVersion === other.depthkitVersion
      ? []
      : [`depthkit ${one.depthkitVersion} and ${other.depthkitVersion}.`];
  return [...files, ...calibrations, ...own, ...versions];
}
