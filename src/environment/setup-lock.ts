import { cacheRemedies } from "../platform/cache-folder.ts";
import { asFileError } from "../platform/file-error.ts";
import { withLock } from "../platform/lock.ts";
import type { OnStep } from "./setup-progress.ts";

export interface SetupLock {
  /** What is made, and locked while it is. */
  folder: string;
  /** "making the worker's Python environment". */
  doing: string;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * Does a part of set-up while no other process does the same, and gives a failure of the disk a code.
 *
 * @throws DepthkitError DISK_FULL, SETUP_FAILED, CANCELLED, and those of the work
 */
export async function withSetupLock<T>(
  { folder, doing, signal, onProgress }: SetupLock,
  work: () => Promise<T>,
): Promise<T> {
  const lock = `${folder}.lock`;
  const onWait = (owner: string) =>
    onProgress?.({ step: "wait", message: `Waiting for ${owner}, which is ${doing} (its lock: ${lock})` });
  try {
    return await withLock(lock, { signal, onWait }, work);
  } catch (error) {
    throw asFileError(error, {
      doing: doing.charAt(0).toUpperCase() + doing.slice(1),
      path: folder,
      whenFull: cacheRemedies.full,
      code: "SETUP_FAILED",
      otherwise: cacheRemedies.notWritable,
    });
  }
}
