import { DepthkitError, type ErrorCode } from "../errors.ts";

/** What a script can branch on. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  setup: 3,
  cancelled: 130, // as the shell has it for Ctrl-C
} as const;

const usageCodes: readonly ErrorCode[] = [
  "INVALID_ARGUMENT",
  "FILE_NOT_FOUND",
  "UNSUPPORTED_FORMAT",
  "TARGET_NOT_EMPTY",
];
const setupCodes: readonly ErrorCode[] = [
  "PYTHON_NOT_FOUND",
  "PYTHON_TOO_OLD",
  "PYTHON_UNSUPPORTED",
  "VENV_UNAVAILABLE",
  "MODULE_MISSING",
  "ENVIRONMENT_MISSING",
  "SETUP_FAILED",
  "DISK_FULL",
  "NETWORK",
];

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof DepthkitError)) return exitCodes.failed;
  if (error.code === "CANCELLED") return exitCodes.cancelled;
  if (usageCodes.includes(error.code)) return exitCodes.usage;
  return setupCodes.includes(error.code) ? exitCodes.setup : exitCodes.failed;
}
