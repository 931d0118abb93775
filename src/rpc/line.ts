import { DepthkitError } from "../errors.ts";
import type { MethodName } from "../protocol/methods.ts";
import type { Connection } from "./connection.ts";
import type { WorkerEnd } from "./events.ts";

/** A worker with the connection to it: they end together. */
export interface Line {
  readonly connection: Connection;
  /** The device that models are loaded on here; absent: as their loading says. */
  readonly device?: string | undefined;
  readonly pid: number;
  /** The version of the worker's Python. */
  readonly python: string;
  /**
   * Settles when the worker has ended, or the session with it, whoever ended it. What was asked of it has
   * been rejected by then.
   */
  readonly ended: Promise<WorkerEnd>;
  /** Rejects what is under way with CLOSED, ends the worker and waits until it has gone. */
  close(): Promise<void>;
}

/**
 * The params of a call for the worker that it goes to.
 *
 * @throws DepthkitError INVALID_ARGUMENT where a model is to be loaded elsewhere than on the worker's device
 */
export function onDevice<P extends object>({ device }: Line, method: MethodName, params: P): P {
  if (device === undefined || method !== "model.load") return params;
  const { device: wanted = "auto" } = params as { device?: string };
  if (wanted === "auto") return { ...params, device };
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `model.load: device: each worker of a pool has its own, here ${device}; got ${JSON.stringify(wanted)}. ` +
      "Leave it out.",
    { details: { method, paths: ["device"] } },
  );
}
