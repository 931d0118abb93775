import { DepthkitError } from "../../errors.ts";
import type { Model } from "../../model/model.ts";
import type { RepairOptions } from "../../model/repair.ts";
import { exportLimits, nameOfFormat } from "../../model/search/exportable.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { formatOf, type PruneOptions } from "./options.ts";
import type { Repairs } from "./settle.ts";

/** What is pruned, as far as it is known before anything is measured. */
interface Pruned {
  readonly model: Model;
  readonly options: PruneOptions;
  readonly players: readonly UnitName[];
  readonly repairs: Repairs;
  readonly call: CallOptions;
}

/** Every checkpoint of transformers' holds what the engine removes and repairs, unless it is quantised. */
export const holdsAll = ({ model, options }: Pick<Pruned, "model" | "options">): boolean =>
  formatOf(options) === "huggingface" && model.info.quantisation === null;

/** What will be in place of what goes: a repair, and what heals the rest. */
export const placed = (repair: RepairOptions | null, { heal }: PruneOptions): RepairOptions[] => [
  ...(repair === null ? [] : [repair]),
  ...(heal === undefined ? [] : [heal]),
];

/**
 * Refuses, before any work, a format that does not hold even the whole model, or none of the players'
 * removals with the repair that they get.
 *
 * @throws DepthkitError EXPORT_UNSUPPORTED
 */
export async function checkFormat({ model, options, players, repairs, call }: Pruned): Promise<void> {
  const format = formatOf(options);
  const doing = `Pruning ${options.model} into ${nameOfFormat[format]}`;
  const { reason } = await model.canExport({ format, ...call });
  if (reason !== null) throw refusal(doing, reason);
  await exportLimits(
    model.subject,
    doing,
    players,
    { format, repairs: placed(repairs.repair, options) },
    call,
  );
}

export const refusal = (doing: string, reason: string) =>
  new DepthkitError("EXPORT_UNSUPPORTED", `${doing}: ${reason}.`);
