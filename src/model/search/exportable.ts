import { DepthkitError } from "../../errors.ts";
import { type Subject, subjectParams } from "../../evaluation/subject.ts";
import { anyOf, type Checks, either, listOf, objectOf, required } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { type CanExport, type ExportFormat, exportFormats } from "../../protocol/export.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { methodOf, type RepairOptions, repairOptions } from "../repair.ts";

/** What the choice of a search must go into: a format, or one with what is put in place afterwards. */
export type Exportable = ExportFormat | ExportableInto;

/** A format that a choice must go into, and how it is repaired before. */
export interface ExportableInto {
  readonly format: ExportFormat;
  /**
   * What is put in place of what goes, each on top of the one before; an empty list: nothing. Default: the
   * search's own repair.
   */
  readonly repairs?: readonly RepairOptions[] | undefined;
}

const aFormat = anyOf(...exportFormats);

/** That a value is one. */
export const anExportable = either(
  aFormat,
  objectOf({
    format: required(aFormat),
    repairs: listOf(repairOptions),
  } satisfies Checks<ExportableInto>),
);

/** What a format's file is called in a sentence. */
export const nameOfFormat = {
  huggingface: "a Hugging Face checkpoint",
  gguf: "a GGUF file",
  onnx: "an ONNX graph",
} as const satisfies Record<ExportFormat, string>;

/** What a format asks of sets of units. */
export interface ExportLimits {
  /** Units that it does not hold the model without, and why. */
  readonly refused: readonly { readonly unit: UnitName; readonly reason: string }[];
  /** Whether the blocks that stay must keep the order of their kinds. */
  readonly keepsPattern: boolean;
}

/**
 * What a format does not hold the model without, with repairs in place that need not be fitted for that.
 * `doing`: for the refusal.
 *
 * @throws DepthkitError EXPORT_UNSUPPORTED where that is each of the units
 */
export async function exportLimits(
  on: Subject,
  doing: string,
  units: readonly UnitName[],
  { format, repairs = [] }: ExportableInto,
  call: CallOptions,
): Promise<ExportLimits> {
  const { model } = subjectParams(on);
  const methods = repairs.map((one) => methodOf(one));
  const params = { model, format, units: [...units], repairs: methods };
  const { result } = await on.connection.request("export.limits", params, call);
  const [first] = result.refused;
  if (first === undefined || result.refused.length < units.length) return result;
  const repaired =
    methods.length === 0 ? "" : ` repaired by ${methods.map(({ method }) => method).join(" and ")}`;
  const others = units.length === 1 ? "" : `, nor without any other of the ${units.length} units`;
  throw new DepthkitError(
    "EXPORT_UNSUPPORTED",
    `${doing}: ${nameOfFormat[format]} does not hold this model without ${first.unit}${repaired}${others}. ` +
      `${sentence(first.reason)} Remove units of another kind, or take another ` +
      `${methods.length === 0 ? "" : "repair, none, or another "}format.`,
    { details: { format, unit: first.unit, reason: first.reason } },
  );
}

/** What to know of units that stay for the format's sake. */
export function limitNotes(format: ExportFormat, { refused }: ExportLimits): string[] {
  const [first] = refused;
  if (first === undefined) return [];
  const units = refused.map(({ unit }) => unit).join(", ");
  return [
    `These stay, since ${nameOfFormat[format]} does not hold the model without them: ${units}. ` +
      sentence(first.reason),
  ];
}

/** @throws DepthkitError EXPORT_UNSUPPORTED where the format does not hold a subnetwork as a whole */
export async function checkHolds(
  on: Subject,
  doing: string,
  format: ExportFormat,
  call: CallOptions,
): Promise<void> {
  const params = { ...subjectParams(on), format };
  const { reason, nearest } = (await on.connection.request("export.canExport", params, call)).result;
  if (reason === null) return;
  throw new DepthkitError(
    "EXPORT_UNSUPPORTED",
    `${doing}: ${nameOfFormat[format]} does not hold the model without ${on.removed.join(", ")}. ` +
      `${sentence(reason)}${nearestTo(nearest)}`,
    { details: { format, removed: on.removed, reason, nearest } },
  );
}

function nearestTo(nearest: CanExport["nearest"]): string {
  if (nearest === null) return "";
  const { removed, repairs } = nearest;
  const without = removed.length === 0 ? "with nothing removed" : `without ${removed.join(", ")}`;
  return ` The nearest that it holds is the model ${without}${repairs.length === 0 ? "" : `, repaired by ${repairs.join(" and ")}`}.`;
}

function sentence(reason: string): string {
  const said = reason.charAt(0).toUpperCase() + reason.slice(1);
  return said.endsWith(".") ? said : `${said}.`;
}
