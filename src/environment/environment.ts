import { rmSync } from "node:fs";
import { join } from "node:path";
import { environmentsFolder } from "../platform/cache-folder.ts";
import { formatBytes } from "../platform/format.ts";
import { isLocked } from "../platform/lock.ts";
import { environmentName, environmentNames, namedEnvironment } from "./environment-folder.ts";
import { readMarker } from "./environment-marker.ts";
import { type Environment, environmentState, stateOfFolder } from "./environment-state.ts";
import { findInterpreter } from "./interpreter.ts";
import type { Candidate } from "./interpreter-probe.ts";
import { makeEnvironment } from "./make-environment.ts";
import { buildFolder, removeEnvironment } from "./replace-environment.ts";
import { environmentOf, type Requirements, requirementsHash, workerRequirements } from "./requirements.ts";
import { withSetupLock } from "./setup-lock.ts";
import type { OnStep } from "./setup-progress.ts";
import { buildOf, chooseTorch, torchBytes } from "./torch-build.ts";
import type { TorchBuild, TorchChoice } from "./torch-names.ts";

export interface EnvironmentOptions {
  requirements?: Requirements;
  /** The build of torch. Default: the one that is there, else what fits this machine. */
  torch?: TorchChoice | undefined;
  /** The Pythons to choose from, in place of the usual names. */
  candidates?: readonly Candidate[];
  /** Make it anew even where it looks whole. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * The managed Python environment, the worker's where no other requirements are given: left alone when it is
 * whole, made where it is missing, unfinished, damaged or of other pins. On any failure what was made is
 * removed, and what was there is as it was.
 *
 * @throws DepthkitError PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_UNSUPPORTED, VENV_UNAVAILABLE, DISK_FULL,
 * NETWORK, MODULE_MISSING, SETUP_FAILED, CANCELLED
 */
export async function ensureEnvironment(options: EnvironmentOptions = {}): Promise<Environment> {
  const requirements = options.requirements ?? workerRequirements();
  const state = options.force ? undefined : environmentState(requirements);
  const asked = options.torch ?? "auto";
  if (state?.kind === "ready" && hasBuild(state.environment, asked)) return state.environment;
  if (state?.kind === "damaged") {
    options.onProgress?.({
      step: "environment",
      message: `The environment is damaged: ${state.reason}. Making it anew`,
    });
  }

  options.onProgress?.({ step: "interpreter", message: "Looking for Python" });
  const interpreter = await findInterpreter({
    signal: options.signal,
    ...(options.candidates ? { candidates: options.candidates } : {}),
  });
  const hash = requirementsHash(requirements);
  const { name } = requirements;
  const folder = join(
    environmentsFolder(),
    name === undefined ? environmentName(interpreter, hash) : namedEnvironment(name, hash),
  );
  const torch = hasTorch(requirements) ? await chooseTorch(asked, options.signal) : undefined;
  if (torch !== undefined && name === undefined) tellSize(torch, options.onProgress);
  const makingSince = new Date().toISOString();
  const { signal, onProgress } = options;
  const doing = `making ${environmentOf(requirements)}`;
  return withSetupLock({ folder, doing, signal, onProgress }, async () => {
    // Another process may have made it while this one waited.
    const now = stateOfFolder(folder);
    const usable = !options.force || (readMarker(folder)?.createdAt ?? "") > makingSince;
    if (now.kind === "ready" && usable && hasBuild(now.environment, asked)) return now.environment;
    return makeEnvironment({ folder, interpreter, requirements, torch, signal, onProgress });
  });
}

const hasTorch = ({ modules }: Requirements) => modules.some(({ module }) => module === "torch");

function hasBuild({ marker }: Environment, asked: TorchChoice): boolean {
  return asked === "auto" || buildOf(marker.versions["torch"]) === asked;
}

/** How much will be downloaded, before anything is. */
function tellSize(torch: TorchBuild, onProgress: OnStep | undefined): void {
  const size = formatBytes(torchBytes[torch].stays);
  onProgress?.({
    step: "environment",
    message: `The environment has torch for ${torch} and takes about ${size} on disk (--torch chooses another)`,
  });
}

/** Removes the environments of other pins that nobody is making just now, and names them. */
export async function pruneEnvironments(keep: readonly string[]): Promise<string[]> {
  const removed: string[] = [];
  for (const name of environmentNames()) {
    const folder = join(environmentsFolder(), name);
    if (keep.includes(folder) || isLocked(`${folder}.lock`)) continue;
    await removeEnvironment(folder);
    await removeEnvironment(buildFolder(folder));
    rmSync(`${folder}.lock`, { recursive: true, force: true });
    removed.push(folder);
  }
  return removed;
}
