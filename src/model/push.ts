import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import type { HubPush, hubPushOptions } from "../protocol/hub.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";

/** What `kit.push` takes. */
export interface PushOptions extends CallOptions, z.input<typeof hubPushOptions> {}

export async function pushExport(
  connection: Executor,
  path: string,
  repo: string,
  options: PushOptions,
): Promise<HubPush> {
  if (connection.remote !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Pushing ${path}: your token of the hub is on this machine, and the folder on that of the worker at ` +
        `${connection.remote}. Fetch it (kit.fetch), and push the copy from a worker of this machine.`,
    );
  }
  return (await connection.request("hub.push", { path: pathFor(connection, path), repo }, options)).result;
}
