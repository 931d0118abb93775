import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { DepthkitError } from "../errors.ts";

/** @throws DepthkitError DISK_FULL when the folder's disk has less room than the work will take. */
export async function checkDiskSpace(folder: string, neededBytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(existingAncestor(folder));
  const free = bavail * bsize;
  if (free >= neededBytes) return;
  throw new DepthkitError(
    "DISK_FULL",
    `${what} needs about ${gigabytes(neededBytes)} in ${folder}, where ${gigabytes(free)} is free. ` +
      "Free some space, or set DEPTHKIT_HOME to a folder on a larger disk.",
    { details: { folder, neededBytes, freeBytes: free } },
  );
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1)} GB`;
}

function existingAncestor(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
