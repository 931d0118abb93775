/** Repairs that are trained, and where their checkpoints go. */
import type { RepairOptions } from "../model/repair.ts";
import { trainedMethods } from "../protocol/repair.ts";

/** Whether a repair is trained: always, or because it is asked to. */
export const trains = (repair: RepairOptions): boolean =>
  trainedMethods.includes(repair.method) || ("training" in repair && repair.training != null);

/** What is trained goes on from its checkpoints, in this folder where the repair names none. */
export function withCheckpoints(repair: RepairOptions, folder: string): RepairOptions {
  if (!trains(repair)) return repair;
  const training = "training" in repair ? repair.training : undefined;
  return { ...repair, training: { ...training, folder: training?.folder ?? folder } } as RepairOptions;
}
