import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { exitText } from "../platform/run-child.ts";
import { installError } from "./install-failure.ts";
import {
  type InstallRun,
  installerEnvironment,
  type PackageInstaller,
  type VenvRun,
} from "./package-installer.ts";
import { PipOutput } from "./pip-output.ts";
import { runModule } from "./run-module.ts";

/** What every environment has, whatever made it: a fresh one of Python 3.11 has 23.2. */
export const PIP_VERSION = "26.3";

export class PipInstaller implements PackageInstaller {
  readonly name = "pip";

  async venv({ interpreter, what, folder, temporary, signal }: VenvRun): Promise<void> {
    const env = installerEnvironment(temporary);
    const result = await runModule(interpreter, ["venv", folder], { env, signal });
    throwIfCancelled(signal, what);
    if (result.code !== 0) throw installError("pip", what, folder, result.lines, exitText(result));
  }

  async install({ python, args, ...run }: InstallRun): Promise<void> {
    throwIfCancelled(run.signal, run.what);
    const output = new PipOutput();
    const bar = (await hasRawProgress(python, run.signal)) ? "raw" : "off";
    const common = ["--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar", bar];
    const result = await runModule(python, ["pip", "install", "--no-compile", ...common, ...args], {
      env: installerEnvironment(run.temporary),
      signal: run.signal,
      onLine: (line) => {
        const progress = output.read(line);
        if (progress !== undefined) run.onProgress?.(progress);
      },
    });
    throwIfCancelled(run.signal, run.what);
    if (result.code !== 0) throw installError("pip", run.what, run.folder, result.lines, exitText(result));
  }
}

/**
 * Whether this pip prints raw progress lines, as it does from 24.1.
 *
 * @throws DepthkitError MODULE_MISSING where there is no pip
 */
async function hasRawProgress(python: string, signal: AbortSignal | undefined): Promise<boolean> {
  const result = await runModule(python, ["pip", "--version"], { signal });
  throwIfCancelled(signal, "Asking for pip's version");
  const version = /^pip (\d+)\.(\d+)/m.exec(result.lines.join("\n"));
  if (result.code !== 0 || !version) {
    throw new DepthkitError(
      "MODULE_MISSING",
      `Installing with ${python}: it has no pip. Add it ("${python}" -m ensurepip --upgrade), or install uv.`,
      { details: { python, module: "pip" } },
    );
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 24 || (major === 24 && minor >= 1);
}
