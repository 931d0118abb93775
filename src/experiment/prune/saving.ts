import { z } from "zod";
import type { DepthkitError } from "../../errors.ts";
import type { Subnetwork } from "../../model/model.ts";
import { nameOfFormat } from "../../model/search/exportable.ts";
import { repaired, repairOf } from "./contenders.ts";
import { holdsAll, refusal } from "./format.ts";
import type { ContenderName } from "./names.ts";
import { formatOf } from "./options.ts";
import type { Workspace } from "./workspace.ts";

/** Why a contender cannot be saved; undefined where it can. `made`: what was fitted for it, where it was. */
export async function cannotBeSaved(
  work: Workspace,
  name: ContenderName,
  removed: readonly string[],
  made: Subnetwork | undefined,
): Promise<DepthkitError | undefined> {
  if (holdsAll(work)) return undefined;
  const { options, steps, key, call } = work;
  const format = formatOf(options);
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
  return reason === null ? undefined : refusal(`Saving ${nameOfFormat[format]}`, reason);
}
