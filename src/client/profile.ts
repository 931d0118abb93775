import type { ModelProfile, ProfileMode, ProfilingProfileResult } from "../protocol/profiling.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { Subject } from "./subject.ts";

export interface ProfileOptions extends CallOptions {
  /** Default both. `masked`: units gated, all weights held; `physical`: without the removed modules. */
  modes?: readonly ProfileMode[];
  /** Tokens of the prompt whose reading is timed. Default 512, or the model's limit where that is less. */
  promptTokens?: number;
  /** Tokens that stand before the first one written. Default 128, or half the model's limit at most. */
  contextTokens?: number;
  /** Tokens written by each timed run. Default 32. */
  newTokens?: number;
  /** Texts written at a time. Default 1 and 8. */
  batchSizes?: readonly number[];
  /** Each round times every model once, in turn. Default 5. */
  rounds?: number;
  /** Rounds before these, not counted. Default 1. */
  warmupRounds?: number;
  /** For the random prompts. Default 0. */
  seed?: number;
}

export interface Profile extends Omit<ProfilingProfileResult, "models"> {
  /** The whole model, measured in turn with the others. */
  dense: ModelProfile;
  /** The live model with units gated; absent where it was not asked for. */
  masked?: ModelProfile;
  /** The model without the removed units' modules; absent where it was not asked for. */
  physical?: ModelProfile;
}

export async function profileSubnetwork(
  connection: Connection,
  subject: Subject,
  contextLength: number | null,
  {
    modes = ["masked", "physical"],
    promptTokens = Math.min(512, contextLength ?? 512),
    contextTokens = Math.min(128, Math.max(1, Math.floor((contextLength ?? 256) / 2))),
    newTokens = 32,
    batchSizes = [1, 8],
    rounds = 5,
    warmupRounds = 1,
    seed = 0,
    ...call
  }: ProfileOptions,
): Promise<Profile> {
  const params = {
    ...subject,
    modes: [...modes],
    promptTokens,
    contextTokens,
    newTokens,
    batchSizes: [...batchSizes],
    rounds,
    warmupRounds,
    seed,
  };
  const { models, ...protocol } = (await connection.call("profiling.profile", params, call)).result;
  const [dense, ...others] = models as [ModelProfile, ...ModelProfile[]];
  return { ...protocol, dense, ...Object.fromEntries(others.map((model) => [model.mode, model])) };
}
