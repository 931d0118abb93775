/** What installs packages: uv where it is on the PATH, else pip. Both install the same pins. */
import { DepthkitError } from "../errors.ts";
import { runChild } from "../platform/run-child.ts";
import type { PackageInstaller } from "./package-installer.ts";
import { PipInstaller } from "./pip.ts";
import { runModule } from "./run-module.ts";
import type { OnStep } from "./setup-progress.ts";
import { UvInstaller } from "./uv.ts";

export interface InstallerChoice {
  /** A Python that has pip, or will have: it is asked what pip is configured with. */
  python: string;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * uv reads neither pip's variables nor its configuration files. Where these name another index or a folder of
 * wheels, pip is used, which goes by them.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a DEPTHKIT_INSTALLER that there is not, or is not there
 */
export async function chooseInstaller({
  python,
  signal,
  onProgress,
}: InstallerChoice): Promise<PackageInstaller> {
  const wanted = process.env["DEPTHKIT_INSTALLER"] || "auto";
  if (!["auto", "uv", "pip"].includes(wanted)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `setup: DEPTHKIT_INSTALLER is ${JSON.stringify(wanted)}; expected uv, pip or auto.`,
    );
  }
  if (wanted === "pip") return new PipInstaller();
  const { code } = await runChild("uv", ["--version"], { signal, timeoutMs: 30_000 });
  if (wanted === "uv" && code !== 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "setup: DEPTHKIT_INSTALLER is uv, and there is no uv on the PATH. Install it, or use pip.",
    );
  }
  if (wanted === "uv") return new UvInstaller();
  if (code !== 0) return new PipInstaller();
  const settings = await pipSources(python, signal);
  if (settings.length === 0) return new UvInstaller();
  const message = `Using pip, as it is configured with ${settings.join(" and ")}, which uv does not read`;
  onProgress?.({ step: "environment", message });
  return new PipInstaller();
}

/** The settings that say where pip takes packages from, of variables and configuration files alike. */
async function pipSources(python: string, signal: AbortSignal | undefined): Promise<string[]> {
  const { code, lines } = await runModule(python, ["pip", "config", "list"], { signal, timeoutMs: 60_000 });
  if (code !== 0) return []; // no pip that could be configured
  const names = lines.flatMap(
    (line) => /^[^=]*\.(index-url|extra-index-url|find-links|no-index)=/.exec(line)?.[1] ?? [],
  );
  return [...new Set(names)];
}
