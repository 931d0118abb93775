import type { UnitName } from "../protocol/common.ts";
import type { Params } from "../protocol/methods.ts";
import type { ModelInfo, Screening } from "../protocol/model.ts";
import type { Policy } from "../protocol/policies.ts";
import type { Executor } from "../rpc/executor.ts";
import type { Handle } from "../rpc/handle.ts";

/** The subnetwork a call works on, as its params name it. */
export type SubjectParams = Pick<Params<"generation.generate">, "model" | "removed" | "repairs">;

/** A repair that the worker holds. */
export interface HeldRepair {
  on(connection: Executor): string;
  readonly digest: string;
  /** The units it makes up for. */
  readonly removed: readonly UnitName[];
}

/** A subnetwork, and the worker that holds its model and repairs. */
export interface Subject {
  readonly connection: Executor;
  readonly info: ModelInfo;
  /** What the precision `screen` multiplies in; null where it has nothing to offer. */
  readonly screening: Screening | null;
  readonly handle: Handle;
  readonly removed: readonly UnitName[];
  readonly repairs: readonly HeldRepair[];
  /** What it follows, for the calls that take one: `followingParams`. */
  readonly policy?: Policy | undefined;
}

/** @throws DepthkitError CLOSED where the model or a repair is gone */
export function subjectParams({ connection, handle, removed, repairs }: Subject): SubjectParams {
  return {
    model: handle.on(connection),
    removed,
    repairs: repairs.map((repair) => repair.on(connection)),
  };
}

/** The same of a call that follows a policy where there is one. */
export function followingParams(subject: Subject): SubjectParams & { policy: Policy | null } {
  return { ...subjectParams(subject), policy: subject.policy ?? null };
}
