import { sep } from "node:path";
import { checkOwnInterpreter } from "../environment/interpreter.ts";
import { installLine } from "../environment/python-support.ts";
import { pinOf, requiredModules } from "../environment/requirements.ts";
import { DepthkitError, isErrorCode } from "../errors.ts";
import { environmentsFolder } from "../platform/cache-folder.ts";
import { systemCode } from "../platform/file-error.ts";
import { lastLines } from "../platform/run-child.ts";

export interface StartFailure {
  python: string;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  spawnError?: Error;
  /** The last lines the worker wrote to its standard error. */
  stderr: string;
}

/** Why a worker did not start, told from how it ended; an interpreter is asked for its version only here. */
export async function explainStartFailure(failure: StartFailure): Promise<DepthkitError> {
  const { python, stderr, spawnError } = failure;
  if (spawnError) return notStarted(python, spawnError);
  const missing = missingModule(stderr);
  if (missing === "depthkit_worker") {
    return new DepthkitError(
      "WORKER_START_FAILED",
      `Starting the worker with ${python}: the package depthkit is incomplete, its folder python/src is ` +
        "not there. Install it again: npm install depthkit",
    );
  }
  // An old Python fails in its own words (an unknown option, a syntax it does not know, a missing part of
  // the standard library), so ask before blaming a module.
  const versionFault = await faultOfVersion(failure);
  if (versionFault) return versionFault;
  const broken = missing ?? brokenModule(stderr);
  if (broken !== undefined) return moduleError(python, broken, lastLine(stderr));
  const tail = lastLines(stderr).join("\n");
  return new DepthkitError(
    "WORKER_START_FAILED",
    `Starting the worker with ${python}: it ${ending(failure)} before it listened. ` +
      `Run npx depthkit doctor to see what is wrong.${tail ? `\nIts last lines:\n${tail}` : ""}`,
    { details: { python, exitCode: failure.exitCode, signal: failure.signal, stderr: tail } },
  );
}

function notStarted(python: string, cause: Error): DepthkitError {
  const code = systemCode(cause);
  if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") {
    const what = code === "EACCES" ? "is not a program that may be run" : "does not exist";
    const own = "Set DEPTHKIT_PYTHON to a Python that has torch, or unset it and run: npx depthkit setup.";
    const remedy = isManaged(python) ? "Run: npx depthkit setup" : `${own} ${installLine()}`;
    return new DepthkitError(
      "PYTHON_NOT_FOUND",
      `Starting the worker: the interpreter ${python} ${what}. ${remedy}`,
      { cause, details: { python } },
    );
  }
  return new DepthkitError(
    "WORKER_START_FAILED",
    `Starting the worker with ${python}: ${cause.message}. Run npx depthkit doctor to see what is wrong.`,
    { cause, details: { python } },
  );
}

async function faultOfVersion({ python, exitCode }: StartFailure): Promise<DepthkitError | undefined> {
  // A signal, or 0, is no way an old Python ends.
  if (exitCode === null || exitCode === 0) return undefined;
  try {
    await checkOwnInterpreter(python);
    return undefined;
  } catch (error) {
    return error instanceof DepthkitError && isErrorCode(error.code) ? error : undefined;
  }
}

/** The top-level name in Python's "No module named 'a.b'" or "No module named a". */
function missingModule(stderr: string): string | undefined {
  const names = [...stderr.matchAll(/No module named '?([A-Za-z_][\w]*)/g)];
  return names.at(-1)?.[1];
}

/** The package whose import raised: the last one on the traceback's way down. */
function brokenModule(stderr: string): string | undefined {
  if (!/^(ImportError|OSError): /m.test(stderr)) return undefined;
  const names = [...stderr.matchAll(/(?:site|dist)-packages[\\/]([A-Za-z_]\w*)[\\/]/g)];
  return names.at(-1)?.[1];
}

function moduleError(python: string, module: string, said: string): DepthkitError {
  const known = requiredModules.find((entry) => entry.module === module);
  const remedy = isManaged(python)
    ? "Make its environment anew: npx depthkit setup --force"
    : `Install it: "${python}" -m pip install "${pinOf(known?.package ?? module)}"`;
  return new DepthkitError(
    "MODULE_MISSING",
    `Starting the worker with ${python}: the Python module ${module} does not import (${said}). ${remedy}`,
    { details: { python, module } },
  );
}

function isManaged(python: string): boolean {
  return python.startsWith(environmentsFolder() + sep);
}

function lastLine(stderr: string): string {
  return lastLines(stderr).at(-1)?.trim() ?? "";
}

function ending({ exitCode, signal }: StartFailure): string {
  if (signal !== null) return `ended with ${signal}`;
  return exitCode === null ? "ended" : `ended with exit code ${exitCode}`;
}
