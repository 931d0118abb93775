import { readFileSync } from "node:fs";
import { DepthkitError } from "../errors.ts";
import { runChild } from "../platform/run-child.ts";
import type { TorchBuild, TorchChoice } from "./torch-names.ts";

/** PyTorch's own index of wheels, as its installation page names it; a folder for each build. */
const WHEEL_INDEX = "https://download.pytorch.org/whl";

/**
 * What an environment takes, by the build of torch: what stays on disk, and the free space that making it
 * needs. Measured on Linux.
 */
export const torchBytes: Readonly<Record<TorchBuild, { stays: number; needed: number }>> = {
  cpu: { stays: 0.9e9, needed: 2.5e9 },
  cu126: { stays: 5e9, needed: 10e9 },
  cu130: { stays: 5e9, needed: 10e9 },
};

/** The oldest NVIDIA drivers, by their major version, that run a build: NVIDIA's table of compatibility. */
const oldestDriver: Readonly<Record<Exclude<TorchBuild, "cpu">, number>> = { cu130: 580, cu126: 525 };

/** The build that the package index's own wheel is: what a plain `pip install torch` gives. */
function ownBuild(platform: NodeJS.Platform = process.platform): TorchBuild {
  return platform === "linux" ? "cu130" : "cpu";
}

/** Where a build's wheel comes from; undefined for the package index that pip has anyway. */
export function wheelIndex(build: TorchBuild, platform?: NodeJS.Platform): string | undefined {
  return build === ownBuild(platform) ? undefined : `${WHEEL_INDEX}/${build}`;
}

/** The build in an environment, by the version of its torch: `2.13.0+cpu`. */
export function buildOf(version: string | undefined, platform?: NodeJS.Platform): string {
  return version?.split("+")[1] ?? ownBuild(platform);
}

/** The build that a driver of this version can run. */
export function buildForDriver(driver: string | undefined): TorchBuild {
  const major = Number.parseInt(driver ?? "", 10);
  if (major >= oldestDriver.cu130) return "cu130";
  return major >= oldestDriver.cu126 ? "cu126" : "cpu";
}

/** The NVIDIA driver's version; undefined where there is none. */
async function nvidiaDriver(signal: AbortSignal | undefined): Promise<string | undefined> {
  const query = ["--query-gpu=driver_version", "--format=csv,noheader"];
  const { code, lines } = await runChild("nvidia-smi", query, { signal, timeoutMs: 30_000 });
  const said = code === 0 ? lines.find((line) => /^\d+\.\d+/.test(line.trim())) : undefined;
  if (said !== undefined) return said.trim();
  try {
    // In a container the driver may be there without its tools.
    return /Kernel Module\D*(\d+\.\d+)/.exec(readFileSync("/proc/driver/nvidia/version", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The build that was asked for, or what fits this machine: the CUDA build that its NVIDIA driver runs, else
 * the CPU's, which on a Mac has Metal too.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a CUDA build on a Mac
 */
export async function chooseTorch(
  asked: TorchChoice,
  signal?: AbortSignal,
  platform: NodeJS.Platform = process.platform,
): Promise<TorchBuild> {
  if (platform === "darwin") {
    if (asked === "auto" || asked === "cpu") return "cpu";
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `setup: there is no build ${asked} of torch for macOS. Its one build has Metal: torch "cpu" or "auto".`,
    );
  }
  return asked === "auto" ? buildForDriver(await nvidiaDriver(signal)) : asked;
}
