import { DepthkitError, type ErrorCode } from "../errors.ts";

const codes: readonly ErrorCode[] = [
  "INVALID_ARGUMENT",
  "NOT_MEASURABLE",
  "BUDGET_TOO_SMALL",
  "EXPORT_UNSUPPORTED",
];

/**
 * Whether an error is of one of several attempts alone, such as a repair that does not apply to a block: the
 * others go on, and it becomes a row of its own.
 */
export function isItsOwn(error: unknown): error is DepthkitError {
  return error instanceof DepthkitError && codes.includes(error.code);
}
