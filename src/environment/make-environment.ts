import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { checkDiskSpace } from "../platform/file-error.ts";
import { environmentPython, sitePackages } from "./environment-folder.ts";
import { writeMarker } from "./environment-marker.ts";
import { type Environment, stateOfFolder } from "./environment-state.ts";
import { checkBuild, installTorch } from "./install-torch.ts";
import { chooseInstaller } from "./installer.ts";
import type { Interpreter } from "./interpreter-probe.ts";
import { installerEnvironment, type PackageInstaller } from "./package-installer.ts";
import { PIP_VERSION } from "./pip.ts";
import { buildFolder, recover, removeEnvironment, swapIn } from "./replace-environment.ts";
import { environmentOf, type Requirements } from "./requirements.ts";
import type { OnStep } from "./setup-progress.ts";
import { torchBytes } from "./torch-build.ts";
import type { TorchBuild } from "./torch-names.ts";
import { verifyModules } from "./verify-modules.ts";

export interface Making {
  folder: string;
  interpreter: Interpreter;
  requirements: Requirements;
  /** The build of torch; absent where torch is not among the requirements. */
  torch?: TorchBuild | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * Makes an environment beside its folder and puts it in place of what is there when it is whole. On any
 * failure what was made is removed, and an earlier environment is as it was.
 */
export async function makeEnvironment(making: Making): Promise<Environment> {
  const { folder, interpreter, requirements, torch } = making;
  await recover(folder);
  if (stateOfFolder(folder).kind === "unfinished") await removeEnvironment(folder);
  const ofTorch = torch === undefined ? 0 : torchBytes[torch].needed;
  const of = environmentOf(requirements);
  const needed = Math.max(requirements.neededBytes, ofTorch);
  await checkDiskSpace(folder, needed, of.charAt(0).toUpperCase() + of.slice(1));
  const building = buildFolder(folder);
  try {
    const versions = await build(making, building);
    await swapIn(folder, () => writeMarker(folder, interpreter, versions));
  } catch (error) {
    await removeEnvironment(building);
    throw error;
  }
  const made = stateOfFolder(folder);
  if (made.kind !== "ready") throw new Error(`the environment just made is ${made.kind}`);
  return made.environment;
}

/** A whole environment in this folder, but for its marker; gives the versions of its packages. */
async function build(making: Making, folder: string): Promise<Record<string, string>> {
  const { interpreter, requirements, torch, signal, onProgress } = making;
  const temporary = join(folder, "tmp");
  mkdirSync(temporary, { recursive: true });
  const installer = await chooseInstaller({ python: interpreter.executable, signal, onProgress });
  const python = `Python ${interpreter.version.join(".")} (${interpreter.executable})`;
  onProgress?.({
    step: "environment",
    message: `Creating an environment with ${python} and ${installer.name}`,
  });
  const what = "Creating the Python environment";
  await installer.venv({ interpreter: interpreter.executable, what, folder, temporary, signal });
  await install({ ...making, folder }, installer, temporary);
  const { versions } = await verifyModules({
    python: environmentPython(folder),
    modules: requirements.modules,
    own: false,
    env: installerEnvironment(temporary),
    signal,
    onProgress,
  });
  if (torch !== undefined) checkBuild(torch, versions["torch"]);
  rmSync(temporary, { recursive: true, force: true });
  return versions;
}

async function install(making: Making, installer: PackageInstaller, temporary: string): Promise<void> {
  const { folder, interpreter, requirements, torch, signal, onProgress } = making;
  const common = { python: environmentPython(folder), folder, temporary, signal };
  const pip = `Installing pip ${PIP_VERSION}`;
  onProgress?.({ step: "environment", message: pip });
  await installer.install({ ...common, what: pip, args: ["--upgrade", `pip==${PIP_VERSION}`] });

  if (torch !== undefined) await installTorch(installer, torch, { ...common, onProgress }, requirements);
  // Both say nothing while they unpack, which takes longest: count what has arrived instead.
  const packages = join(folder, sitePackages(interpreter.version[1]));
  let counting: NodeJS.Timeout | undefined;
  try {
    await installer.install({
      ...common,
      what: requirements.name === undefined ? "Installing the worker's packages" : "Installing the packages",
      args: ["-r", requirements.requirements, "-c", requirements.constraints],
      onProgress: (progress) => {
        onProgress?.(progress);
        const { step, total } = progress;
        if (step !== "install" || total === undefined || counting) return;
        const before = installedCount(packages);
        counting = setInterval(() => {
          const done = Math.min(installedCount(packages) - before, total);
          onProgress?.({ ...progress, done });
        }, 500);
      },
    });
  } finally {
    clearInterval(counting);
  }
}

function installedCount(packages: string): number {
  return existsSync(packages)
    ? readdirSync(packages).filter((name) => name.endsWith(".dist-info")).length
    : 0;
}
