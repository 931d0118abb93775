import { DepthkitError } from "../errors.ts";

/** A failure of Node's own file calls on a journal, as an error with a code; others pass as they are. */
export function asJournalError(error: unknown, path: string): unknown {
  if (error instanceof DepthkitError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DepthkitError(
      "DISK_FULL",
      `Writing the journal ${path} failed: its disk is full. What it held before is whole; free some space and run the same again, and it goes on from there.`,
      { cause: error, details: { path } },
    );
  }
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `The journal ${path} cannot be used (${error.message}). Name a folder that can be written to, or one that does not exist yet.`,
    { cause: error, details: { path } },
  );
}
