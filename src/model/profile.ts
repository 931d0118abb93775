import type { z } from "zod";
import { followingParams, type Subject } from "../evaluation/subject.ts";
import { anOptionsObject } from "../options.ts";
import type { ModelProfile, ProfilingProfileResult, profileOptions } from "../protocol/profiling.ts";
import type { CallOptions } from "../rpc/call-options.ts";

export interface ProfileOptions extends CallOptions, z.input<typeof profileOptions> {}

/** What the model costs whole and without the removed units. */
export interface Profile extends Omit<ProfilingProfileResult, "models"> {
  /** The whole model, measured in turn with the others. */
  dense: ModelProfile;
  /** The live model with units gated; absent where it was not asked for. */
  masked?: ModelProfile;
  /** The model without the removed units' modules; absent where it was not asked for. */
  physical?: ModelProfile;
}

export async function profileSubnetwork(on: Subject, options: ProfileOptions): Promise<Profile> {
  // A policy has one mode, and no other is measured unasked.
  const asked = on.policy === undefined ? options : withOneMode(options);
  const { result } = await on.connection.request("profiling.profile", followingParams(on), asked);
  const { models, ...protocol } = result;
  const [dense, ...others] = models as [ModelProfile, ...ModelProfile[]];
  return { ...protocol, dense, ...Object.fromEntries(others.map((model) => [model.mode, model])) };
}

function withOneMode(options: ProfileOptions): ProfileOptions {
  return { ...anOptionsObject("profiling.profile", options), modes: options.modes ?? ["masked"] };
}
