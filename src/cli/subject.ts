import type { Command } from "commander";
import { type CallOptions, type Depthkit, DepthkitError, type Model, type Subnetwork } from "../index.ts";
import { addModelFlags, type ModelFlags, modelOptionsOf } from "./data-flags.ts";
import { addRemovalFlags, type RemovalFlags, unitsToRemove } from "./removal-flag.ts";

/** Flags of the commands that work on a model or on what is left of it. */
export interface SubjectFlags extends ModelFlags, RemovalFlags {
  subnetwork?: string;
}

export function addSubjectFlags(command: Command): Command {
  return addRemovalFlags(addModelFlags(command)).option(
    "--subnetwork <folder>",
    "a subnetwork that --save of repair or search wrote: its removed units and repairs; or a LoRA adapter " +
      "of peft's, beside the weights of the whole model",
  );
}

export async function loadSubject(
  kit: Depthkit,
  flags: SubjectFlags,
  call: CallOptions,
): Promise<{ model: Model; subnetwork: Subnetwork }> {
  if (flags.remove !== undefined && flags.subnetwork !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "Both --remove and --subnetwork were given; the saved subnetwork names its own removed units.",
    );
  }
  const model = await loadModel(kit, flags, call);
  if (flags.subnetwork === undefined) {
    return { model, subnetwork: model.without(await unitsToRemove(model, flags, call)) };
  }
  return { model, subnetwork: await model.loadSubnetwork(flags.subnetwork, call) };
}

/** The model of `--model`. What of it was not loaded, or not as it says, goes to standard error. */
export async function loadModel(kit: Depthkit, flags: ModelFlags, call: CallOptions): Promise<Model> {
  const model = await kit.loadModel(flags.model, { ...modelOptionsOf(flags), ...call });
  for (const note of model.info.notes) process.stderr.write(`Note: ${note}\n`);
  return model;
}
