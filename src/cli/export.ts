import { type Command, Option } from "commander";
import { type CanExport, DepthkitError, type ExportInfo, type GgufInfo } from "../index.ts";
import { formatBytes, formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { exportFormats, exportOptions, ggufOptions } from "../schemas.ts";
import { checkTable } from "./check.ts";
import { runCommand } from "./command.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  out: string;
  format: (typeof exportFormats)[number];
  check: boolean;
  dryRun: boolean;
  base?: string;
}

// `--dtype` is the one the model is loaded in.
const dtypes = [
  ...new Set([...exportOptions.shape.dtype.unwrap().options, ...ggufOptions.shape.dtype.unwrap().options]),
];
const styles = { dtype: false } as const;

export function registerExport(command: Command): void {
  addSubjectFlags(command)
    .requiredOption("--out <path>", "the folder, or GGUF file, to write; it appears whole or not at all")
    .addOption(new Option("--format <format>").choices(exportFormats).default(exportFormats[0]))
    .addOption(
      new Option(
        "--save-dtype <name>",
        "what weights are written as; q8_0 for gguf alone (default: auto)",
      ).choices(dtypes),
    )
    .option("--base <file>", "gguf: the file that the model was loaded from, where it is not in its place")
    .option("--check", "load what was written in the software that it is for, beside the whole model", false)
    .option("--dry-run", "only say whether it can be exported, or what is nearest that can", false);
  addSchemaFlags(command, exportOptions, styles).action(async (flags: Flags & { saveDtype?: string }) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const { format, check, base } = flags;
        const dtype = flags.saveDtype === undefined ? {} : { dtype: flags.saveDtype as never };
        const options = { ...schemaOptions(exportOptions, flags, styles), ...dtype };
        if (base !== undefined && format !== "gguf") {
          throw new DepthkitError(
            "INVALID_ARGUMENT",
            "--base is the file that a GGUF is made from: it does nothing without --format gguf.",
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
        const info =
          format === "gguf"
            ? await subnetwork.export(flags.out, {
                format,
                check,
                ...options,
                ...(base && { base }),
                ...call,
              })
            : await subnetwork.export(flags.out, { format, check, ...options, ...call });
        const table = info.check === undefined ? [] : ["", checkTable(info.check.written, info.check.whole)];
        const text = [describe(info), ...table].join("\n");
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

function describe(info: ExportInfo | GgufInfo): string {
  return "folder" in info ? describeExport(info) : describeGguf(info);
}

export function describeExport(info: ExportInfo): string {
  return [
    `Wrote ${info.folder} (${info.layout} layout, ${info.dtype}, ${formatSeconds(info.seconds)})`,
    ...removal(info),
    changes([
      ["parameters", info.parametersBefore, info.parametersAfter, formatCount],
      ["weights", info.weightBytesBefore, info.weightBytesAfter, formatBytes],
      ["KV cache a token", info.kvBytesPerTokenBefore, info.kvBytesPerTokenAfter, formatBytes],
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

const removal = ({ removed, keptBlocks }: ExportInfo | GgufInfo) => [
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
