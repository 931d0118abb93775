import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { noInterpreterError } from "./interpreter-errors.ts";
import { type Candidate, type Interpreter, type Probe, probeInterpreter } from "./interpreter-probe.ts";
import { pythonTooOld, pythonUnsupported, supportOf } from "./python-support.ts";

/** What is tried without DEPTHKIT_PYTHON. The plain name comes first: it is the one the user set up. */
function interpreterCandidates(platform: NodeJS.Platform = process.platform): Candidate[] {
  const plain = (program: string, ...args: string[]): Candidate => ({ program, args });
  if (platform === "win32") {
    return [
      plain("py", "-3.12"),
      plain("py", "-3.11"),
      plain("py", "-3.13"),
      plain("py", "-3.14"),
      plain("py", "-3"),
      plain("python"),
    ];
  }
  return ["python3", "python3.12", "python3.11", "python3.13", "python3.14", "python"].map((name) =>
    plain(name),
  );
}

export interface FindOptions {
  candidates?: readonly Candidate[];
  signal?: AbortSignal | undefined;
}

/**
 * The first candidate an environment can be made from.
 *
 * @throws DepthkitError PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_UNSUPPORTED, VENV_UNAVAILABLE
 */
export async function findInterpreter(options: FindOptions = {}): Promise<Interpreter> {
  const probes: Probe[] = [];
  for (const candidate of options.candidates ?? interpreterCandidates()) {
    const probe = await probeInterpreter(candidate, options.signal);
    throwIfCancelled(options.signal, "Looking for Python");
    probes.push(probe);
    if (probe.kind !== "found" || supportOf(probe.interpreter).kind !== "supported") continue;
    if (probe.interpreter.venv && probe.interpreter.ensurepip) return probe.interpreter;
  }
  throw noInterpreterError(probes);
}

/** Asks an interpreter of the user's own what it is; the same errors, each about this one interpreter. */
export async function checkOwnInterpreter(python: string, signal?: AbortSignal): Promise<Interpreter> {
  const probe = await probeInterpreter({ program: python, args: [] }, signal);
  throwIfCancelled(signal, `Asking ${python} for its version`);
  if (probe.kind === "absent") {
    throw new DepthkitError(
      "PYTHON_NOT_FOUND",
      `The interpreter ${python} cannot be used: ${probe.reason}. ` +
        `Set DEPTHKIT_PYTHON to a Python program, or unset it and run: npx depthkit setup`,
      { details: { python, reason: probe.reason } },
    );
  }
  if (probe.kind === "ancient") throw pythonTooOld(python, probe.reason);
  const support = supportOf(probe.interpreter);
  if (support.kind === "too-old") throw pythonTooOld(python, support.reason);
  if (support.kind === "unsupported") throw pythonUnsupported(python, support.reason);
  return probe.interpreter;
}
