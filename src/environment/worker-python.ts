import { delimiter } from "node:path";
import { DepthkitError } from "../errors.ts";
import { pythonPath } from "../platform/package-root.ts";
import { environmentState } from "./environment-state.ts";
import { ownInterpreter } from "./own-interpreter.ts";
import { workerRequirements } from "./requirements.ts";

export interface WorkerPython {
  python: string;
  /** False for an interpreter of the user's own. */
  managed: boolean;
  /** The managed environment's folder. */
  environment?: string;
  /** Variables to set for the worker on top of the caller's; an empty one counts as unset for Python. */
  env: Record<string, string>;
}

/**
 * The interpreter to start a worker with: the one given, else DEPTHKIT_PYTHON's, else the managed
 * environment's. Only looks at the disk: an interpreter that does not start explains itself afterwards
 * (`explainStartFailure`).
 *
 * @throws DepthkitError ENVIRONMENT_MISSING
 */
export async function resolveWorkerPython(own = ownInterpreter()): Promise<WorkerPython> {
  // Without compiled modules the import of torch takes twice as long, every time.
  const compile = { PYTHONDONTWRITEBYTECODE: "" };
  if (own) {
    return { python: own, managed: false, env: { ...compile, PYTHONPATH: process.env["PYTHONPATH"] ?? "" } };
  }
  const state = environmentState(workerRequirements());
  if (state.kind === "ready") {
    // A foreign PYTHONPATH or PYTHONHOME would put other packages before the pinned ones.
    const env = { ...compile, PYTHONPATH: "", PYTHONHOME: "", PYTHONNOUSERSITE: "1" };
    const { folder, python } = state.environment;
    return { python, managed: true, environment: folder, env };
  }
  throw new DepthkitError("ENVIRONMENT_MISSING", missingText(state), { details: { state: state.kind } });
}

/** The PYTHONPATH by which Python finds the worker's modules, before what it has otherwise. */
export function workerModules(inherited: string | undefined): string {
  return [pythonPath("src"), ...(inherited ? [inherited] : [])].join(delimiter);
}

function missingText(state: Exclude<ReturnType<typeof environmentState>, { kind: "ready" }>): string {
  switch (state.kind) {
    case "missing":
      return "The worker's Python environment is missing. Run: npx depthkit setup";
    case "unfinished":
      return `The worker's Python environment was not finished (${state.folder}). Run: npx depthkit setup`;
    case "damaged":
      return (
        `The worker's Python environment is damaged: ${state.reason} (${state.folder}). ` +
        "Run: npx depthkit setup"
      );
  }
}
