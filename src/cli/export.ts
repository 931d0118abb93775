import { type Command, Option } from "commander";
import { type ExportInfo, formatBytes, formatCount, formatSeconds, renderTable } from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  out: string;
  overwrite: boolean;
  format: "huggingface";
  saveDtype: "auto" | "float32" | "bfloat16" | "float16";
  note: string;
}

export function registerExport(program: Command): void {
  const command = program
    .command("export")
    .description("Save the model without some units as a checkpoint that other software loads.");
  addSubjectFlags(command)
    .requiredOption("--out <folder>", "the folder to write; it appears whole or not at all")
    .addOption(new Option("--format <format>").choices(["huggingface"]).default("huggingface"))
    .option("--overwrite", "replace what the folder holds", false)
    .addOption(
      new Option("--save-dtype <dtype>", "auto: the dtype the source is stored in")
        .choices(["auto", "float32", "bfloat16", "float16"])
        .default("auto"),
    )
    .option("--note <text>", "how the units were chosen, for the model card", "")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const info = await subnetwork.export(flags.out, {
            format: flags.format,
            overwrite: flags.overwrite,
            dtype: flags.saveDtype,
            note: flags.note,
            ...call,
          });
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
    ...info.notes,
    ...info.warnings.map((warning) => `Note: ${warning}`),
  ].join("\n");
}
