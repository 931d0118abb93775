import { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import type { Subnetwork } from "../../model/model.ts";
import { repaired, repairOf } from "./contenders.ts";
import { type ContenderName, isRecipe } from "./names.ts";
import { formatOf } from "./options.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Refuses, before any work, a format that does not hold even the whole model.
 *
 * @throws DepthkitError EXPORT_UNSUPPORTED
 */
export async function checkFormat({ model, options, call }: Workspace): Promise<void> {
  const format = formatOf(options);
  const { reason } = await model.canExport({ format, ...call });
  if (reason !== null) throw refusal(`Pruning ${options.model} into ${nameOf[format]}`, reason);
}

/**
 * Why a contender cannot be saved; undefined where it can. `made`: what was fitted for it, where it was.
 *
 * @throws DepthkitError EXPORT_UNSUPPORTED where it is the repair, which all but the recipes have, that cannot
 */
export async function cannotBeSaved(
  work: Workspace,
  name: ContenderName,
  removed: readonly string[],
  made: Subnetwork | undefined,
): Promise<DepthkitError | undefined> {
  const { model, options, steps, key, call } = work;
  const format = formatOf(options);
  // Every checkpoint of transformers' holds what the engine removes and repairs.
  if (format === "huggingface") return undefined;
  const repair = repairOf(work, name);
  const reason = await steps.step(
    { step: "can be saved", format, removed, repair, of: key },
    z.string().nullable(),
    async () => {
      const subnetwork = made ?? (await repaired(work, name, removed));
      try {
        return (await subnetwork.canExport({ format, ...call })).reason;
      } finally {
        if (made === undefined) await subnetwork.close();
      }
    },
  );
  if (reason === null) return undefined;
  const bare = repair === null ? undefined : await model.without(removed).canExport({ format, ...call });
  if (repair !== null && bare?.possible === true && !isRecipe(name)) {
    throw refusal(
      `Pruning into ${nameOf[format]} with the repair ${repair.method}`,
      `${reason}. Take another repair, or none (docs/gguf.md)`,
    );
  }
  return refusal(`Saving ${nameOf[format]}`, reason);
}

const nameOf = {
  huggingface: "a Hugging Face checkpoint",
  gguf: "a GGUF file",
  onnx: "an ONNX graph",
} as const;

const refusal = (doing: string, reason: string) =>
  new DepthkitError("EXPORT_UNSUPPORTED", `${doing}: ${reason}.`);
