import { mkdtempSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { aFlag, anOptionsObject, anyOf, checkArgument } from "../options.ts";
import {
  type CanExport,
  type ExportFormat,
  type ExportInfo,
  exportFormats,
  type exportOptions,
} from "../protocol/export.ts";
import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { GgufInfo, ggufOptions } from "../protocol/export-gguf.ts";
import type { OnnxInfo, onnxOptions } from "../protocol/export-onnx.ts";
import { type CallOptions, callOf } from "../rpc/call-options.ts";
import { checkPath, type ExportCheck, judge } from "./check-export.ts";

interface Checked {
  /**
   * Load what was written in the software that it is for, and the whole model, written the same way, beside
   * it: `check` of the result has both. Needs room for the whole model once more.
   */
  check?: boolean | undefined;
}

export interface HuggingfaceExport extends CallOptions, z.input<typeof exportOptions>, Checked {
  /**
   * A Hugging Face checkpoint, which stock transformers loads: plain where one can hold the subnetwork, else
   * with a small modelling file beside it (`layout` in the result says which; docs/export.md).
   */
  format: "huggingface";
}

export interface GgufExport extends CallOptions, z.input<typeof ggufOptions>, Checked {
  /** One file, which llama.cpp and what is built on it load (docs/gguf.md). */
  format: "gguf";
}

export interface OnnxExport extends CallOptions, z.input<typeof onnxOptions>, Checked {
  /** A folder of graphs, which ONNX Runtime and transformers.js run (docs/onnx.md). */
  format: "onnx";
}

/** What `export` takes: a format with its options. */
export type ExportOptions = HuggingfaceExport | GgufExport | OnnxExport;

/** What an export of any format wrote. */
export type AnyExportInfo = ExportInfo | GgufInfo | OnnxInfo;

/** What an export wrote, with its check where one was asked for. */
export type Exported<Info> = Info & { check?: ExportCheck };

export interface CanExportOptions extends CallOptions {
  /** The format that would be written. */
  format: ExportFormat;
}

export async function exportSubnetwork(
  on: Subject,
  path: string,
  given: ExportOptions,
): Promise<Exported<AnyExportInfo>> {
  const { format, check = false, ...options } = anOptionsObject("export", given);
  checkArgument("export", "format", format, anyOf(...exportFormats));
  checkArgument("export", "check", check, aFlag);
  if (check && on.connection.remote !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Exporting ${path} with a check: the whole model is written beside it for that and removed again, which ` +
        `this program cannot do on the machine of the worker at ${on.connection.remote}. Export without, and ` +
        "check what was written by kit.checkExport.",
    );
  }
  const method = `export.${format}` as const;
  const write = async (subject: Subject, to: string, as: object) => {
    const params = { ...subjectParams(subject), target: pathFor(on.connection, to) };
    return (await on.connection.request(method, params, as)).result;
  };
  const info = await write(on, path, options);
  if (!check) return info;
  const look = (at: string): Promise<RuntimeCheck> =>
    checkPath(on.connection, at, {
      ...callOf(options),
      ...(format === "huggingface" && { trustRemoteCode: true }),
    });
  const written = await look(path);
  const whole = isWhole(on) ? null : await checkWhole();
  return { ...info, check: judge(path, written, whole) };

  /** The whole model, written beside for the time of its check. */
  async function checkWhole(): Promise<RuntimeCheck> {
    const parent = dirname(pathFor(on.connection, path));
    const folder = mkdtempSync(join(parent, `.${basename(path)}.check-`));
    try {
      const beside = join(folder, format === "gguf" ? "whole.gguf" : "whole");
      await write({ ...on, removed: [], repairs: [] }, beside, { ...options, overwrite: false });
      return await look(beside);
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

export async function canExport(on: Subject, given: CanExportOptions): Promise<CanExport> {
  const { format, ...options } = anOptionsObject("canExport", given);
  checkArgument("canExport", "format", format, anyOf(...exportFormats));
  return (await on.connection.request("export.canExport", { ...subjectParams(on), format }, options)).result;
}

const isWhole = ({ removed, repairs }: Subject) => removed.length === 0 && repairs.length === 0;
