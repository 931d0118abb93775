import type { z } from "zod";
import { pathFor } from "../evaluation/paths.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { anOptionsObject, anyOf, checkArgument } from "../options.ts";
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
  given: ExportOptions,
): Promise<ExportInfo> {
  const { format, ...options } = anOptionsObject("export.huggingface", given);
  checkArgument("export.huggingface", "format", format, anyOf(...exportFormats));
  const subject = { ...subjectParams(on), target: pathFor(on.connection, folder) };
  return (await on.connection.request("export.huggingface", subject, options)).result;
}
