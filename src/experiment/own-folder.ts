import type { Depthkit } from "../model/depthkit.ts";
import type { CallOptions } from "../rpc/call-options.ts";

/** Refuses a folder for journals and records in which nothing can be written, before any work. */
export async function checkOwnFolder(
  kit: Depthkit,
  folder: string,
  { signal, timeoutMs }: CallOptions,
): Promise<void> {
  // They lie on this machine, and a remote worker would look on its own.
  if (kit.connection.remote === undefined)
    await kit.checkTarget(folder, { kind: "files", signal, timeoutMs });
}
