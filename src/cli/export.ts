import type { Command } from "commander";
import {
  type AnyExportInfo,
  type CanExport,
  DepthkitError,
  type ExportInfo,
  type GgufInfo,
  type OnnxInfo,
} from "../index.ts";
import { formatBytes, formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { exportOptions } from "../schemas.ts";
import { answerRows, checkTable } from "./check.ts";
import { runCommand } from "./command.ts";
import { addFormatFlags, type FormatFlags, formatOptionsOf } from "./format-flags.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, FormatFlags {
  out: string;
  check: boolean;
  dryRun: boolean;
}

const styles = { dtype: false, vision: false } as const;

export function registerExport(command: Command): void {
  addSubjectFlags(command).requiredOption(
    "--out <path>",
    "the folder, or GGUF file, to write; it appears whole or not at all",
  );
  addFormatFlags(command)
    .option("--check", "load what was written in the software that it is for, beside the whole model", false)
    .option("--dry-run", "only say whether it can be exported, or what is nearest that can", false);
  addSchemaFlags(command, exportOptions, styles).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const saved = formatOptionsOf(flags);
        const { format } = saved;
        const options = { ...schemaOptions(exportOptions, flags, styles), check: flags.check };
        if (flags.dryRun && flags.vision === true) {
          throw new DepthkitError(
            "INVALID_ARGUMENT",
            "--dry-run says what the language model's files can hold, and nothing of --vision. Give one of them.",
          );
        }
        if (!flags.dryRun) {
          const kind = format === "gguf" ? "gguf" : "export";
          await kit.checkTarget(flags.out, { kind, overwrite: options.overwrite, signal });
        }
        const { model, subnetwork } = await loadSubject(kit, flags, call);
        if (flags.dryRun) {
          const answer = await subnetwork.canExport({ format, signal });
          return { json: { model: model.info, canExport: answer }, text: describeAnswer(answer, format) };
        }
        const info = await subnetwork.export(flags.out, { ...options, ...saved, ...call });
        const table = info.check === undefined ? [] : ["", checkTable(info.check.written, info.check.whole)];
        const text = [describeExport(info), ...table].join("\n");
        return { json: { model: model.info, export: info }, text };
      }),
    );
  });
}

function describeAnswer({ possible, reason, nearest }: CanExport, format: string): string {
  if (possible) return `${format} can hold it.`;
  const without = nearest?.removed.join(",") || "nothing";
  const repairs = nearest?.repairs.length ? `, repaired with ${nearest.repairs.join(", ")}` : "";
  const near = nearest === null ? [] : [`The nearest that can be exported: without ${without}${repairs}.`];
  return [`${format} cannot hold it: ${reason}.`, ...near].join("\n");
}

/** What an export wrote. */
export function describeExport(info: AnyExportInfo): string {
  if ("graphs" in info) return describeOnnx(info);
  return "folder" in info ? describeFolder(info) : describeGguf(info);
}

function describeFolder(info: ExportInfo): string {
  return [
    `Wrote ${info.folder} (${info.layout} layout, ${info.dtype}, ${formatSeconds(info.seconds)})`,
    ...removal(info),
    changes([
      ["parameters", info.parametersBefore, info.parametersAfter, formatCount],
      ["weights", info.weightBytesBefore, info.weightBytesAfter, formatBytes],
      ["KV cache per token", info.kvBytesPerTokenBefore, info.kvBytesPerTokenAfter, formatBytes],
    ]),
    `largest logit difference to the model in memory: ${info.maxLogitDifference.toPrecision(3)}`,
    ...noteLines([...info.notes, ...info.warnings]),
  ].join("\n");
}

function describeGguf(info: GgufInfo): string {
  const seconds = formatSeconds(info.seconds);
  return [
    `Wrote ${info.file} (arch ${info.architecture}, ${info.dtype}, ${formatBytes(info.bytes)}, ${seconds})`,
    ...removal(info),
    changes([
      ["parameters", info.parametersBefore, info.parametersAfter, formatCount],
      ["KV cache per token, fp16", info.kvBytesPerTokenBefore, info.kvBytesPerTokenAfter, formatBytes],
    ]),
    ...noteLines([...info.notes, ...info.warnings]),
  ].join("\n");
}

function describeOnnx(info: OnnxInfo): string {
  const { graphs } = info;
  return [
    `Wrote ${info.folder} (ONNX, model type ${info.modelType}, ${formatSeconds(info.seconds)})`,
    ...removal(info),
    changes([["parameters", info.parametersBefore, info.parametersAfter, formatCount]]),
    renderTable(
      [
        { title: "in onnxruntime" },
        ...graphs.map(({ dtype }) => ({ title: dtype, align: "right" }) as const),
      ],
      [
        ["size", ...graphs.map(({ bytes }) => formatBytes(bytes))],
        ["mean difference of log-probabilities", ...graphs.map((one) => one.meanDifference.toPrecision(3))],
        ...answerRows.map(([name, show]) => [name, ...graphs.map(show)]),
      ],
    ),
    ...noteLines([...info.notes, ...info.warnings]),
  ].join("\n");
}

const removal = ({ removed, keptBlocks }: AnyExportInfo) => [
  `removed: ${removed.join(", ") || "nothing"}`,
  `kept blocks: ${keptBlocks.join(", ")}`,
];

type Change = readonly [name: string, before: number, after: number, show: (value: number) => string];

function changes(rows: readonly Change[]): string {
  return renderTable(
    [{ title: "" }, { title: "before", align: "right" }, { title: "after", align: "right" }, { title: "" }],
    rows.map(([name, before, after, show]) => [
      name,
      show(before),
      show(after),
      `${(100 * (1 - after / before)).toFixed(1)}% less`,
    ]),
  );
}
