import { resolve } from "node:path";
import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { type ExportInfo, exportFormats, type exportOptions } from "../protocol/export.ts";
import type { CallOptions } from "../rpc/connection.ts";

export interface ExportOptions extends CallOptions, z.input<typeof exportOptions> {
  /**
   * A Hugging Face checkpoint, which stock transformers loads: plain where one can hold the subnetwork, else
   * with a small modelling file beside it (`layout` in the result says which; docs/export.md).
   */
  format: (typeof exportFormats)[number];
}

export async function exportSubnetwork(
  on: Subject,
  folder: string,
  { format, ...options }: ExportOptions,
): Promise<ExportInfo> {
  if (!exportFormats.includes(format)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Cannot export as ${JSON.stringify(format)}; formats: ${exportFormats.join(", ")}.`,
    );
  }
  const subject = { ...subjectParams(on), target: resolve(folder) };
  return (await on.connection.request("export.huggingface", subject, options)).result;
}
