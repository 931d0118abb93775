import type { Command } from "commander";
import { compareStudies, type StudyComparison, type StudyRow } from "../index.ts";
import { formatNumber, renderTable } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { noteLines } from "./notes.ts";
import { readStudyRecord } from "./study-record.ts";

interface Flags {
  json: boolean;
}

export function registerCompare(command: Command): void {
  command
    .argument("<one>", "a folder that `depthkit run` wrote to, or its record.json")
    .argument("<other>", "another one")
    .option("--json", "print one JSON document", false)
    .action(async (one: string, other: string, flags: Flags) => {
      await runCommand(flags, async () => {
        const compared = compareStudies(await readStudyRecord(one), await readStudyRecord(other));
        return { json: compared, text: describe(compared) };
      });
    });
}

function describe({ rows, protocols, notes }: StudyComparison): string {
  const barred = protocols.map(
    ({ evaluation, fields }) =>
      `${evaluation} is not compared: ` +
      fields
        .map(({ field, one, other }) => `${field} is ${shown(one)} in one and ${shown(other)} in the other`)
        .join("; ") +
      ".",
  );
  const right = (title: string) => ({ title, align: "right" as const });
  const table = renderTable(
    [
      { title: "ranking" },
      right("removed"),
      { title: "repair" },
      { title: "measured on" },
      { title: "measure" },
      right("one"),
      right("other"),
      right("difference"),
    ],
    rows.map(({ one, other, difference }) => [
      one.ranking === "" ? "(whole model)" : one.ranking,
      String(one.removal),
      one.repair,
      one.evaluation,
      one.measure,
      valueText(one),
      valueText(other),
      difference === null ? "" : `${difference > 0 ? "+" : ""}${formatNumber(difference)}`,
    ]),
  );
  const body = rows.length === 0 ? "No figure of the two is of one protocol and one name." : table;
  return [body, ...noteLines([...barred, ...notes])].join("\n");
}

const shown = (value: unknown): string => (value === undefined ? "not there" : JSON.stringify(value));

function valueText({ value, standardError, error }: StudyRow): string {
  if (value === null) return error === "" ? "not finite" : "failed";
  return `${formatNumber(value)}${standardError === null ? "" : ` ± ${formatNumber(standardError, 2)}`}`;
}
