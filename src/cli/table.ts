import type { Command } from "commander";
import { type StudyRow, studyRows } from "../index.ts";
import { runCommand } from "./command.ts";
import { readStudyRecord } from "./study-record.ts";
import { describeStudy } from "./study-text.ts";

interface Flags {
  csv: boolean;
  json: boolean;
}

export function registerTable(command: Command): void {
  command
    .argument("<run>", "a folder that `depthkit run` wrote to, or its record.json")
    .option("--csv", "one row for every figure, for notebooks and spreadsheets", false)
    .option("--json", "the same rows as one JSON document", false)
    .action(async (run: string, flags: Flags) => {
      await runCommand(flags, async () => {
        const record = await readStudyRecord(run);
        const rows = studyRows(record);
        return { json: rows, text: flags.csv ? toCsv(rows) : describeStudy(record, run) };
      });
    });
}

const columns = [
  "model",
  "calibration",
  "draw",
  "ranking",
  "removal",
  "removed",
  "repair",
  "parametersRemoved",
  "kvBytesRemoved",
  "evaluation",
  "measure",
  "value",
  "standardError",
  "aboveWhole",
  "aboveWholeError",
  "error",
] as const satisfies readonly (keyof StudyRow)[];

/** RFC 4180, but for its line ends: a cell with a comma, a quote or a line break stands in quotes. */
function toCsv(rows: readonly StudyRow[]): string {
  const cell = (value: StudyRow[keyof StudyRow]) => {
    const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => columns.map((column) => cell(row[column])).join(","));
  return [columns.join(","), ...lines].join("\n");
}
