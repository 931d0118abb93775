import type { z } from "zod";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import type { ModelProfile, ProfilingProfileResult, profileOptions } from "../protocol/profiling.ts";
import type { CallOptions } from "../rpc/connection.ts";

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
  const { result } = await on.connection.request("profiling.profile", subjectParams(on), options);
  const { models, ...protocol } = result;
  const [dense, ...others] = models as [ModelProfile, ...ModelProfile[]];
  return { ...protocol, dense, ...Object.fromEntries(others.map((model) => [model.mode, model])) };
}
