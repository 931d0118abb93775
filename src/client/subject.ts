import type { UnitName } from "../protocol/common.ts";
import type { Params } from "../protocol/methods.ts";
import type { ModelInfo } from "../protocol/model.ts";
import type { RepairInfo } from "../protocol/repair.ts";

/** The subnetwork a call works on, as its params name it. */
export type Subject = Pick<Params<"generation.generate">, "model" | "removed" | "repairs">;

/** What a subnetwork is: digests tell it from others in every process, handles name it to this worker. */
export interface Identity {
  readonly model: ModelInfo;
  readonly removed: readonly UnitName[];
  readonly repairs: readonly RepairInfo[];
}

export function subjectOf({ model, removed, repairs }: Identity): Subject {
  return { model: model.model, removed: [...removed], repairs: repairs.map(({ repair }) => repair) };
}
