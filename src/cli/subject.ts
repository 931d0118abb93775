import type { Command } from "commander";
import {
  type CallOptions,
  type Depthkit,
  DepthkitError,
  type Model,
  type Subnetwork,
  type UnitName,
} from "../index.ts";
import { addModelFlags, type ModelFlags, modelOptionsOf } from "./data-flags.ts";
import { parseUnits } from "./values.ts";

/** Flags of the commands that work on a model or on what is left of it. */
export interface SubjectFlags extends ModelFlags {
  remove: UnitName[];
  subnetwork?: string;
}

export function addSubjectFlags(command: Command): Command {
  return addModelFlags(command)
    .option(
      "--remove <units>",
      "units to remove: 3,7 or block.3, attention.5, feed-forward.2, and inclusive runs 10-12",
      parseUnits,
      [],
    )
    .option(
      "--subnetwork <folder>",
      "a subnetwork that --save of repair or search wrote: its removed units and repairs",
    );
}

export async function loadSubject(
  kit: Depthkit,
  flags: SubjectFlags,
  call: CallOptions,
): Promise<{ model: Model; subnetwork: Subnetwork }> {
  if (flags.remove.length > 0 && flags.subnetwork !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "Both --remove and --subnetwork were given; the saved subnetwork names its own removed units.",
    );
  }
  const model = await loadModel(kit, flags, call);
  if (flags.subnetwork === undefined) return { model, subnetwork: model.without(flags.remove) };
  return { model, subnetwork: await model.loadSubnetwork(flags.subnetwork, call) };
}

/** The model of `--model`. What of it was not loaded, or not as it says, goes to standard error. */
export async function loadModel(kit: Depthkit, flags: ModelFlags, call: CallOptions): Promise<Model> {
  const model = await kit.loadModel(flags.model, { ...modelOptionsOf(flags), ...call });
  for (const note of model.info.notes) process.stderr.write(`Note: ${note}\n`);
  return model;
}
