/**
 * Every failure depthkit reports, as a closed set. A code is stable: scripts may branch on it.
 * `docs/errors.md` says when each is raised and what to do; a test keeps the two in step.
 */
export const errorCodes = [
  // Input
  "INVALID_ARGUMENT", // an argument, option or file field is outside what is allowed
  "NOT_ENOUGH_TEXT", // a corpus holds fewer tokens than the call needs
  "UNSUPPORTED_FORMAT", // a file's suffix or content is none that can be read
  "FILE_NOT_FOUND", // a path that was given does not exist
  "SOURCE_CHANGED", // a file that a handle was made from is another one now
  "TARGET_NOT_EMPTY", // an export would overwrite something
  "BUDGET_TOO_SMALL", // an estimator cannot work within the evaluations given
  // Set-up
  "PYTHON_NOT_FOUND", // no interpreter among the candidates
  "PYTHON_TOO_OLD", // interpreters were found, none recent enough
  "PYTHON_UNSUPPORTED", // not CPython, or not 64 bit
  "VENV_UNAVAILABLE", // the interpreter has no venv or no ensurepip
  "MODULE_MISSING", // the interpreter lacks a module the worker needs, or it fails to import
  "ENVIRONMENT_MISSING", // set-up has not been run
  "SETUP_FAILED", // a set-up step failed for a reason that has no code of its own
  "DISK_FULL", // no space left
  "NETWORK", // a package registry or the model hub could not be reached
  "HUB_REFUSED", // the model hub does not let this user do what was asked
  // Models
  "MODEL_NOT_FOUND", // no bundled name, folder, file or hub id matches
  "MODEL_UNSUPPORTED", // an architecture no family describes
  "MODEL_INVALID", // a checkpoint with missing or unexpected tensors, or a damaged file
  "DEVICE_UNAVAILABLE", // the device asked for is not there
  "EXPORT_UNSUPPORTED", // the target format cannot hold this subnetwork
  "EXPORT_DIFFERS", // what was written answers otherwise in the software that it is for
  "OUT_OF_MEMORY", // the device ran out of memory
  "NOT_MEASURABLE", // a result would be NaN or infinite
  // Bridge
  "WORKER_START_FAILED", // the worker ended before it was ready
  "WORKER_DIED", // the worker ended while calls were under way
  "WORKER_UNRESPONSIVE", // the worker's heartbeat stopped
  "CONNECTION_LOST", // the connection to the worker broke, and the worker still ran
  "KEY_REFUSED", // a remote worker and this client do not have each other's keys
  "CLUSTER_UNAVAILABLE", // the Ray cluster cannot be started or joined, or its nodes cannot load the model
  "WORKER_BUSY", // a remote worker serves another client
  "PYTHON_RAISED", // an exception in what a script had Python do (depthkit/python)
  "PYTHON_DIED", // that Python ended while it was in use
  "VERSION_MISMATCH", // the two sides speak different contracts
  "PROTOCOL", // a message that breaks the contract
  "CLOSED", // a call on a handle or connection that was closed
  "CANCELLED", // the caller's signal was aborted
  "TIMEOUT", // a limit the caller set ran out
  "INTERNAL", // a fault in depthkit itself
] as const;

/** What went wrong, of a closed set: docs/errors.md. */
export type ErrorCode = (typeof errorCodes)[number];

/**
 * Of an error that the worker raised: the method that failed, and where it was not on purpose, Python's own
 * words.
 */
interface WorkerDetails {
  method: string;
  python: { type: string; traceback: string };
}

interface ExitDetails {
  exitCode: number | null;
  signal: string | null;
  /** The last lines on standard error. */
  stderr: string;
}

interface InterpreterDetails {
  /** The interpreter's path. */
  python: string;
  reason: string;
}

interface DetailsByCode {
  INVALID_ARGUMENT: WorkerDetails & { /** Where in the options the faults are. */ paths: readonly string[] };
  NOT_ENOUGH_TEXT: WorkerDetails & { have: number; need: number /** What is counted. */; unit: string };
  BUDGET_TOO_SMALL: { evaluations: number; minimum: number };
  PYTHON_NOT_FOUND: InterpreterDetails;
  PYTHON_TOO_OLD: InterpreterDetails;
  PYTHON_UNSUPPORTED: InterpreterDetails;
  VENV_UNAVAILABLE: InterpreterDetails;
  MODULE_MISSING: { python: string; module: string; modules: readonly string[]; output: string };
  ENVIRONMENT_MISSING: { state: string };
  SETUP_FAILED: { output: string };
  DISK_FULL: { path: string; folder: string; neededBytes: number; freeBytes: number };
  NOT_MEASURABLE: WorkerDetails & { /** The coalition's key. */ coalition: string; value: string };
  WORKER_START_FAILED: InterpreterDetails & ExitDetails;
  WORKER_DIED: ExitDetails & { method: string };
}

/**
 * The facts behind an error's message, for programs: those that are known of its code may be there, and
 * others.
 */
export type ErrorDetails<C extends ErrorCode = ErrorCode> = Readonly<Record<string, unknown>> &
  (C extends keyof DetailsByCode ? Readonly<Partial<DetailsByCode[C]>> : unknown);

/** What an error carries beside its code and its words. */
export interface DepthkitErrorOptions {
  cause?: unknown;
  /** Machine-readable facts behind the message: the offending value, what is allowed. */
  details?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The one error class of the SDK. `code` says what kind of failure it is, `message` what to do about it,
 * `details` the facts; `is(code)` tells TypeScript which they are.
 */
export class DepthkitError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "DepthkitError";
  readonly code: C;
  readonly details: ErrorDetails<C>;

  constructor(code: C, message: string, options: DepthkitErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    // What a place that raises an error says of it crosses the wire as data, so its form is not proved here.
    this.details = (options.details ?? {}) as ErrorDetails<C>;
  }

  /** Whether it has this code; its details are then typed by it. */
  is<K extends ErrorCode>(code: K): this is DepthkitError<K> {
    return (this.code as ErrorCode) === code;
  }
}

/** Whether a value is a code that an error of depthkit may have. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(value);
}
