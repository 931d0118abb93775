import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { DepthkitError } from "../index.ts";
import { formatBytes, renderReport, studyReport } from "../report/index.ts";
import { runCommand } from "./command.ts";
import { readStudyRecord } from "./study-record.ts";

interface Flags {
  out?: string;
  theme: "light" | "dark";
  across: "removals" | "parameters" | "time";
  json: boolean;
}

export function registerReport(command: Command): void {
  command
    .argument("<runs...>", "folders that `depthkit run` wrote to, or their record.json")
    .option("--out <folder>", "where the report goes (default: `report` in the first run's folder)")
    .addOption(
      new Option("--theme <name>", "of the figures' own files; the page follows its reader")
        .choices(["light", "dark"])
        .default("light"),
    )
    .addOption(
      new Option("--across <what>", "in figures of removals: as planned, share of parameters, share of time")
        .choices(["removals", "parameters", "time"])
        .default("removals"),
    )
    .option("--json", "print one JSON document", false)
    .action(async (runs: string[], flags: Flags) => {
      await runCommand(flags, async () => {
        const records = [];
        for (const run of runs) records.push(await readStudyRecord(run));
        const out = flags.out ?? join((runs[0] ?? ".").replace(/record\.json$/, ""), "report");
        const files = await renderReport(studyReport(records, { across: flags.across }), {
          theme: flags.theme,
        });
        for (const [name, bytes] of files) write(join(out, name), bytes);
        const page = join(out, "report.html");
        const size = formatBytes(files.get("report.html")?.length ?? 0);
        const names = [...files.keys()];
        return {
          json: { folder: out, files: names },
          text: `${page} (${size}, one file, no network), and ${names.length - 1} files of its figures.`,
        };
      });
    });
}

function write(path: string, bytes: Uint8Array): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  } catch (cause) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Writing the report to ${path}: ${(cause as Error).message}.`,
      {
        cause,
      },
    );
  }
}
