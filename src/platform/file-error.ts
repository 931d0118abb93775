import { DepthkitError } from "../errors.ts";

/** A failure of Node's own file calls during set-up, as an error with a code; others pass as they are. */
export function asSetupError(error: unknown, what: string, folder: string): unknown {
  if (error instanceof DepthkitError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DepthkitError(
      "DISK_FULL",
      `${what} failed: the disk of ${folder} is full. Free some space, or set DEPTHKIT_HOME to a folder on a larger disk.`,
      { cause: error, details: { folder } },
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST") {
    return new DepthkitError(
      "SETUP_FAILED",
      `${what} failed: ${folder} cannot be written to (${error.message}). Set DEPTHKIT_HOME to a folder of your own.`,
      { cause: error, details: { folder } },
    );
  }
  return error;
}
