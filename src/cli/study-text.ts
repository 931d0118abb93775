/** A study's record, for people to read in a terminal. */
import { join } from "node:path";
import { groupBy } from "../arrays.ts";
import { type StudyRecord, type StudyRow, studyRows } from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { noteLines } from "./notes.ts";

export function describeStudy(record: StudyRecord, folder: string): string {
  const { models, calibrations, warnings, timings } = record;
  const failures = failuresOf(record);
  return [
    ...models.map(
      ({ name, info }) =>
        `${name}: ${info.depth} blocks, ${formatCount(info.parameters)} parameters, ${info.dtype} on ${info.device}`,
    ),
    ...calibrations.map(
      ({ calibration, draw, measured }) =>
        `${calibration}, draw ${draw}: ${measured.sequences} x ${measured.length} tokens`,
    ),
    ...protocolLines(record),
    "",
    tableOf(record),
    ...noteLines([...warnings, ...failures]),
    "",
    `${record.subnetworks.length} subnetworks; the steps took ${formatSeconds(timings.took)} in all.`,
    ...plannedLine(timings),
    `The record: ${join(folder, "record.json")}`,
    `As a page with pictures: npx depthkit report ${folder}`,
  ].join("\n");
}

/** How far off the time was that was told before. */
function plannedLine({ planned, took }: StudyRecord["timings"]): string[] {
  if (planned === null || planned.seconds === 0) return [];
  const off = (100 * (took - planned.seconds)) / planned.seconds;
  const more = off < 0 ? "less" : "more";
  return [
    `Told before: ${formatSeconds(planned.seconds)}, from ${formatSeconds(planned.low)} to ` +
      `${formatSeconds(planned.high)}; it took ${Math.abs(off).toFixed(0)}% ${more}.`,
  ];
}

function protocolLines({ evaluations }: StudyRecord): string[] {
  return evaluations.map(({ evaluation, protocol }) => {
    const said = protocol as Readonly<Record<string, number | boolean | undefined>>;
    const parts = [
      said["chunks"] === undefined
        ? undefined
        : `${said["chunks"]} chunks of ${said["chunk"]} tokens, stride ${said["stride"]}, BOS ` +
          `${said["bosAdded"] === true ? "added" : "not added"}, ${said["tokensScored"]} tokens scored`,
      said["items"] === undefined ? undefined : `${said["items"]} questions, ${said["shots"]} shots`,
    ];
    return `${evaluation}: ${parts.filter((part) => part !== undefined).join(", ") || "see the record"}`;
  });
}

/** A row per point, a column per evaluation: its first measure. */
function tableOf(record: StudyRecord): string {
  const measured = studyRows(record);
  const evaluations = record.evaluations.filter(
    ({ evaluation }, at, all) => all.findIndex((one) => one.evaluation === evaluation) === at,
  );
  const points = groupBy(measured, (row) =>
    JSON.stringify([row.model, row.calibration, row.draw, row.ranking, row.removal, row.repair]),
  );
  const several = (of: keyof StudyRow) => new Set(measured.map((row) => row[of])).size > 1;
  const about = (["model", "calibration", "draw"] as const).filter(several);
  const rows = [...points.values()].map(([first, ...rest]) => {
    const own = first === undefined ? [] : [first, ...rest];
    return [
      ...about.map((of) => String(first?.[of] ?? "")),
      first?.ranking === "" ? "(whole model)" : (first?.ranking ?? ""),
      String(first?.removal ?? ""),
      first?.repair ?? "",
      ...evaluations.map(({ evaluation }) => cell(own, evaluation)),
    ];
  });
  const right = (title: string) => ({ title, align: "right" as const });
  return renderTable(
    [
      ...about.map((title) => ({ title })),
      { title: "ranking" },
      right("removed"),
      { title: "repair" },
      ...evaluations.map(({ evaluation }) => right(evaluation)),
    ],
    rows,
  );
}

function cell(rows: readonly StudyRow[], evaluation: string): string {
  const own = rows.filter((row) => row.evaluation === evaluation);
  const row = own.find(({ measure }) => measure === "perplexity") ?? own[0];
  if (row === undefined) return "";
  if (row.error !== "") return "failed";
  if (row.value === null) return "not finite";
  const error = row.standardError === null ? "" : ` ± ${formatNumber(row.standardError, 2)}`;
  return `${formatNumber(row.value)}${error}`;
}

/** What could not be done. */
export function failuresOf(record: StudyRecord): string[] {
  const lines = [
    ...record.rankings.flatMap(({ ranking, error, sets }) => [
      ...(error === null ? [] : [`${ranking}: ${error.message}`]),
      ...sets.flatMap((set) =>
        set.error === null ? [] : [`${ranking}, ${set.removal}: ${set.error.message}`],
      ),
    ]),
    ...record.subnetworks.flatMap(({ removed, repair, error }) =>
      error === null ? [] : [`${repair?.name} without ${removed.join(", ")}: ${error.message}`],
    ),
    ...record.results.flatMap(({ evaluation, subnetwork, error }) =>
      error === null ? [] : [`${evaluation} of ${subnetwork}: ${error.message}`],
    ),
  ];
  return [...new Set(lines)];
}
