import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { checkDiskSpace } from "../platform/file-error.ts";
import { exitText } from "../platform/run-child.ts";
import { environmentPython, sitePackages } from "./environment-folder.ts";
import { markerFile, writeMarker } from "./environment-marker.ts";
import { type Environment, stateOfFolder } from "./environment-state.ts";
import { checkBuild, installTorch } from "./install-torch.ts";
import type { Interpreter } from "./interpreter-probe.ts";
import { installerEnvironment, PIP_VERSION, runPip } from "./pip.ts";
import { pipError } from "./pip-failure.ts";
import type { Requirements } from "./requirements.ts";
import { runModule } from "./run-module.ts";
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

/** Makes an environment in its folder, in place of what is there. On any failure what was made is removed. */
export async function makeEnvironment(making: Making): Promise<Environment> {
  const { folder, interpreter, requirements, torch, signal, onProgress } = making;
  await removeEnvironment(folder);
  const needed = torch === undefined ? requirements.neededBytes : torchBytes[torch].needed;
  await checkDiskSpace(folder, needed, "The worker's Python environment");
  try {
    const temporary = join(folder, "tmp");
    mkdirSync(temporary, { recursive: true });
    await createVenv(making, temporary);
    await install(making, temporary);
    const python = environmentPython(folder);
    const { versions } = await verifyModules({
      python,
      modules: requirements.modules,
      own: false,
      env: installerEnvironment(temporary),
      signal,
      onProgress,
    });
    if (torch !== undefined) checkBuild(torch, versions["torch"]);
    rmSync(temporary, { recursive: true, force: true });
    writeMarker(folder, interpreter, versions);
  } catch (error) {
    await removeEnvironment(folder);
    throw error;
  }
  const made = stateOfFolder(folder);
  if (made.kind !== "ready") throw new Error(`the environment just made is ${made.kind}`);
  return made.environment;
}

async function createVenv(
  { folder, interpreter, signal, onProgress }: Making,
  temporary: string,
): Promise<void> {
  const version = interpreter.version.join(".");
  onProgress?.({
    step: "environment",
    message: `Creating an environment with Python ${version} (${interpreter.executable})`,
  });
  const result = await runModule(interpreter.executable, ["venv", folder], {
    env: installerEnvironment(temporary),
    signal,
  });
  throwIfCancelled(signal, "Creating the Python environment");
  if (result.code !== 0) {
    throw pipError("Creating the Python environment", folder, result.lines, exitText(result));
  }
}

async function install(making: Making, temporary: string): Promise<void> {
  const { folder, interpreter, requirements, torch, signal, onProgress } = making;
  const python = environmentPython(folder);
  const common = { python, folder, temporary, signal };
  onProgress?.({ step: "environment", message: `Installing pip ${PIP_VERSION}` });
  const upgrade = ["install", "--upgrade", "--no-compile", `pip==${PIP_VERSION}`];
  await runPip({ ...common, what: `Installing pip ${PIP_VERSION}`, args: upgrade, rawProgress: false });

  if (torch !== undefined) await installTorch(torch, { ...common, onProgress }, requirements);
  // pip says nothing while it unpacks, which takes longest: count what has arrived instead.
  const packages = join(folder, sitePackages(interpreter.version[1]));
  let counting: NodeJS.Timeout | undefined;
  try {
    await runPip({
      ...common,
      what: "Installing the worker's packages",
      args: ["install", "--no-compile", "-r", requirements.requirements, "-c", requirements.constraints],
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
  try {
    return readdirSync(packages).filter((name) => name.endsWith(".dist-info")).length;
  } catch {
    return 0;
  }
}

/** The marker goes first, so that an environment half removed is not taken for a whole one. */
export async function removeEnvironment(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  rmSync(markerFile(folder), { force: true });
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
