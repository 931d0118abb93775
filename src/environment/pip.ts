import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { exitText } from "../platform/run-child.ts";
import { pipError } from "./pip-failure.ts";
import { PipOutput } from "./pip-output.ts";
import { runModule } from "./run-module.ts";
import type { OnStep, StepProgress } from "./setup-progress.ts";

/** The first pip with raw progress lines is 24.1; a fresh environment of Python 3.11 has 23.2. */
export const PIP_VERSION = "26.3";

/** Settings that would send packages elsewhere than into the environment they are meant for. */
const misleading = [
  "PIP_USER",
  "PIP_TARGET",
  "PIP_PREFIX",
  "PIP_ROOT",
  "PIP_REQUIRE_VIRTUALENV",
  "PIP_DRY_RUN",
];

export interface PipRun {
  python: string;
  args: readonly string[];
  /** "Installing the packages", for messages. */
  what: string;
  /** The folder the result goes to, for messages. */
  folder: string;
  temporary: string;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: StepProgress) => void) | undefined;
  /** False for a pip too old for raw progress lines. */
  rawProgress?: boolean;
}

/** @throws DepthkitError DISK_FULL, NETWORK, VENV_UNAVAILABLE, SETUP_FAILED, CANCELLED */
export async function runPip(run: PipRun): Promise<void> {
  throwIfCancelled(run.signal, run.what);
  const output = new PipOutput();
  const [command = "", ...rest] = run.args;
  const result = await runModule(
    run.python,
    [
      "pip",
      command,
      "--no-input",
      "--disable-pip-version-check",
      "--no-color",
      "--progress-bar",
      run.rawProgress === false ? "off" : "raw",
      ...rest,
    ],
    {
      env: installerEnvironment(run.temporary),
      signal: run.signal,
      onLine: (line) => report(output.read(line), run.onProgress),
    },
  );
  throwIfCancelled(run.signal, run.what);
  if (result.code !== 0) throw pipError(run.what, run.folder, result.lines, exitText(result));
}

/**
 * Whether an interpreter's own pip prints raw progress lines, as it does from 24.1.
 *
 * @throws DepthkitError MODULE_MISSING where it has no pip
 */
export async function requirePip(python: string, signal?: AbortSignal): Promise<boolean> {
  const result = await runModule(python, ["pip", "--version"], { signal });
  throwIfCancelled(signal, "Asking for pip's version");
  const version = /^pip (\d+)\.(\d+)/m.exec(result.lines.join("\n"));
  if (result.code !== 0 || !version) {
    throw new DepthkitError(
      "MODULE_MISSING",
      `Downloading the bundled model with ${python}: it has no pip. ` +
        `Add it: "${python}" -m ensurepip --upgrade`,
      { details: { python, module: "pip" } },
    );
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 24 || (major === 24 && minor >= 1);
}

/** The caller's variables, pip's settings among them, without those that would mislead it. */
export function installerEnvironment(temporary: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  for (const name of [...misleading, "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"]) delete env[name];
  return env;
}

function report(progress: StepProgress | undefined, onProgress: OnStep | undefined): void {
  if (progress) onProgress?.(progress);
}
