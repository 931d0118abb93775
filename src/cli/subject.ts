import type { Command } from "commander";
import {
  type CallOptions,
  type Depthkit,
  DepthkitError,
  type Model,
  type Subnetwork,
  type UnitName,
} from "../index.ts";
import { addModelFlags, addRemoveFlag, type ModelFlags, modelOptions } from "./options.ts";

/** Flags of the commands that work on a model or on what is left of it. */
export interface SubjectFlags extends ModelFlags {
  remove: UnitName[];
  subnetwork?: string;
}

export function addSubjectFlags(command: Command): Command {
  return addRemoveFlag(addModelFlags(command)).option(
    "--subnetwork <folder>",
    "a subnetwork that `depthkit repair --save` wrote: its removed units and repairs",
  );
}

export async function loadSubject(
  kit: Depthkit,
  flags: SubjectFlags,
  call: CallOptions,
): Promise<{ model: Model; subnetwork: Subnetwork }> {
  const model = await kit.loadModel(flags.model, { ...modelOptions(flags), ...call });
  if (flags.subnetwork === undefined) return { model, subnetwork: model.without(flags.remove) };
  if (flags.remove.length > 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "Both --remove and --subnetwork were given; the saved subnetwork names its own removed units.",
    );
  }
  return { model, subnetwork: await model.loadSubnetwork(flags.subnetwork, call) };
}
