import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { DepthkitError, type ErrorCode } from "../errors.ts";
import { cacheRemedies } from "./cache-folder.ts";
import { formatBytes } from "./format.ts";

/** What ran out, by the system's code: `disk_full.py` has the same for the worker. */
const fullCodes: Readonly<Record<string, (path: string) => string>> = {
  ENOSPC: (path) => `the disk of ${path} is full`,
  EDQUOT: (path) => `this user's quota on the disk of ${path} is used up`,
  EFBIG: (path) => `${path} is larger than its file system, or a limit of this user (ulimit -f), allows`,
};
const fullWords = new RegExp(
  [
    "\\[Errno (28|122|69|27)\\]|\\[WinError 112\\]", // EDQUOT is 69 on macOS
    "No space left on device|Disk quota exceeded|File too large|\\(os error (28|122|69|27)\\)",
  ].join("|"),
);
const closedWords = /\[Errno (13|30)\]|Permission denied|Read-only file system|\[WinError 5\]/;

/** The system's code of an error (ENOENT), if it has one; Node's for a wrong call have more words. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** Whether a program's last lines tell of a full disk, in Python's or the system's words. */
export function saysDiskFull(text: string): boolean {
  return fullWords.test(text);
}

/** Whether they tell of a place that may not be written to. */
export function saysNotWritable(text: string): boolean {
  return closedWords.test(text);
}

export interface FileWork {
  /** What was being done: "Writing the journal". */
  doing: string;
  path: string;
  /** What to do when the disk is full. */
  whenFull: string;
  /** The code of every other failure, and what to do. */
  code: ErrorCode;
  otherwise: string;
}

/** A failure of Node's own file calls as an error with a code; whatever else it is passes as it is. */
export function asFileError(error: unknown, { doing, path, whenFull, code, otherwise }: FileWork): unknown {
  const failure = systemCode(error);
  if (!(error instanceof Error) || failure === undefined) return error;
  const options = { cause: error, details: { path } };
  const full = fullCodes[failure];
  if (full !== undefined) {
    return new DepthkitError("DISK_FULL", `${doing} failed: ${full(path)}. ${whenFull}`, options);
  }
  const message = `${doing} failed: ${path} cannot be used (${error.message}). ${otherwise}`;
  return new DepthkitError(code, message, options);
}

/** @throws DepthkitError DISK_FULL when the folder's disk has less room than the work will take. */
export async function checkDiskSpace(folder: string, neededBytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(existingAncestor(folder));
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new DepthkitError(
    "DISK_FULL",
    `${what} needs about ${formatBytes(neededBytes)} in ${folder}, where ${formatBytes(freeBytes)} is free` +
      `. ${cacheRemedies.full}`,
    { details: { folder, neededBytes, freeBytes } },
  );
}

function existingAncestor(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
