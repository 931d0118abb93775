import { type Command, Option } from "commander";
import type { ExportInfo } from "../index.ts";
import { formatBytes, formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { exportFormats, exportOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  out: string;
  format: (typeof exportFormats)[number];
}

// `--dtype` is the one the model is loaded in.
const styles = { dtype: { name: "saveDtype" } };

export function registerExport(command: Command): void {
  addSubjectFlags(command)
    .requiredOption("--out <folder>", "the folder to write; it appears whole or not at all")
    .addOption(new Option("--format <format>").choices(exportFormats).default(exportFormats[0]));
  addSchemaFlags(command, exportOptions, styles).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const options = schemaOptions(exportOptions, flags, styles);
        await kit.checkTarget(flags.out, { kind: "export", overwrite: options.overwrite, signal });
        const { model, subnetwork } = await loadSubject(kit, flags, call);
        const info = await subnetwork.export(flags.out, { format: flags.format, ...options, ...call });
        return { json: { model: model.info, export: info }, text: describeExport(info) };
      }),
    );
  });
}

export function describeExport(info: ExportInfo): string {
  const change = (before: number, after: number, show: (value: number) => string) => [
    show(before),
    show(after),
    `${(100 * (1 - after / before)).toFixed(1)}% less`,
  ];
  const table = renderTable(
    [{ title: "" }, { title: "before", align: "right" }, { title: "after", align: "right" }, { title: "" }],
    [
      ["parameters", ...change(info.parametersBefore, info.parametersAfter, formatCount)],
      ["weights", ...change(info.weightBytesBefore, info.weightBytesAfter, formatBytes)],
      ["KV cache a token", ...change(info.kvBytesPerTokenBefore, info.kvBytesPerTokenAfter, formatBytes)],
    ],
  );
  return [
    `Wrote ${info.folder} (${info.layout} layout, ${info.dtype}, ${formatSeconds(info.seconds)})`,
    `removed: ${info.removed.join(", ") || "nothing"}`,
    `kept blocks: ${info.keptBlocks.join(", ")}`,
    table,
    info.maxLogitDifference === null
      ? "logits were not compared with the model in memory"
      : `largest logit difference to the model in memory: ${info.maxLogitDifference.toPrecision(3)}`,
    ...noteLines([...info.notes, ...info.warnings]),
  ].join("\n");
}
