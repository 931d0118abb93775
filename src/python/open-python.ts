import { checkOwnInterpreter } from "../environment/interpreter.ts";
import { resolveWorkerPython } from "../environment/worker-python.ts";
import { DepthkitError } from "../errors.ts";
import { aFlag, aSignal, aText, type Checks, checkOptions } from "../options.ts";
import type { Python } from "./python.ts";
import { startPython } from "./start-python.ts";

export type { Python, PythonObject } from "./python.ts";

/** What `openPython` takes. */
export interface OpenPythonOptions {
  /** An interpreter of the caller's own, in place of the managed environment and DEPTHKIT_PYTHON. */
  python?: string | undefined;
  /** Aborting ends the Python at once; calls under way reject with CANCELLED. */
  signal?: AbortSignal | undefined;
  /** Show what Python prints, on standard error. On by default. */
  verbose?: boolean | undefined;
}

const checks: Checks<OpenPythonOptions> = { python: aText, signal: aSignal, verbose: aFlag };

/**
 * Opens the worker's Python environment to a script:
 *
 * ```ts
 * import { openPython } from "depthkit/python";
 *
 * await using py = await openPython();
 * const np = await py("numpy");
 * const sum = await py.value(py`${np}.arange(10).sum()`); // 45
 * ```
 *
 * It is a Python process of its own: it sees no object of a worker, and needs `close()`, which `await using`
 * calls. It ends with this process too, however that ends. `docs/python.md` lists what to know.
 *
 * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_UNSUPPORTED,
 * PYTHON_DIED, CANCELLED
 */
export async function openPython(options: OpenPythonOptions = {}): Promise<Python> {
  checkOptions("openPython", options, checks);
  const { signal, verbose = true } = options;
  const { python, env } = await resolveWorkerPython(options.python);
  try {
    return await startPython({ python, env: { ...process.env, ...env }, show: verbose, signal });
  } catch (error) {
    // Whether it is a Python at all, and one recent enough, is asked only where it did not start.
    if (error instanceof DepthkitError && error.code !== "CANCELLED")
      await checkOwnInterpreter(python, signal);
    throw error;
  }
}
