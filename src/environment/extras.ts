import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { checkDiskSpace } from "../platform/file-error.ts";
import { readJson, writeJson } from "../platform/json.ts";
import { pythonPath } from "../platform/package-root.ts";
import { environmentPython } from "./environment-folder.ts";
import type { ExtraName } from "./extra-names.ts";
import { chooseInstaller } from "./installer.ts";
import { installerEnvironment } from "./package-installer.ts";
import { type Requirements, requirementsHash } from "./requirements.ts";
import { withSetupLock } from "./setup-lock.ts";
import type { OnStep } from "./setup-progress.ts";
import { verifyModules } from "./verify-modules.ts";

/** An extra that is installed into the worker's environment. */
type InWorker = Exclude<ExtraName, "onnx">;

const contents: Readonly<Record<InWorker, Pick<Requirements, "modules" | "neededBytes">>> = {
  // Measured: 0.5 GB on disk, pyarrow and scipy the most of it, and the downloads.
  "lm-eval": { modules: [{ module: "lm_eval", package: "lm-eval" }], neededBytes: 1e9 },
  // Measured: 0.17 GB on disk, and the download.
  parquet: { modules: [{ module: "pyarrow", package: "pyarrow" }], neededBytes: 3e8 },
  // Measured: 0.23 GB on disk, and the download.
  ray: {
    modules: [
      { module: "ray", package: "ray" },
      { module: "grpc", package: "grpcio" },
    ],
    neededBytes: 5e8,
  },
  // Measured: 0.13 GB on disk, builds for every GPU the most of it, and the download.
  bitsandbytes: { modules: [{ module: "bitsandbytes", package: "bitsandbytes" }], neededBytes: 3e8 },
  // Measured: 4 MB on disk.
  "compressed-tensors": {
    modules: [
      { module: "compressed_tensors", package: "compressed-tensors" },
      { module: "loguru", package: "loguru" },
    ],
    neededBytes: 2e7,
  },
  // Measured: 0.05 GB on disk on Linux, and the download.
  mlx: {
    modules: [
      { module: "mlx.core", package: "mlx" },
      { module: "mlx_lm", package: "mlx-lm" },
    ],
    neededBytes: 2e8,
  },
};

/** The extras that a worker can import. */
export const workerExtras = Object.keys(contents) as readonly InWorker[];

export function extraRequirements(extra: InWorker): Requirements {
  return {
    requirements: pythonPath(`requirements-${extra}.txt`),
    // The same as the worker's: what an extra shares with it stays as it is.
    constraints: pythonPath("constraints.txt"),
    ...contents[extra],
  };
}

/** Written last. What else it holds is for people. */
const record = z.object({ hash: z.string() });

export interface ExtraOptions {
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * Installs an extra into the managed environment; returns at once where it is there. One that fails
 * leaves the environment as good as before: nothing the worker needs is replaced.
 *
 * @throws DepthkitError DISK_FULL, NETWORK, MODULE_MISSING, SETUP_FAILED, CANCELLED
 */
export async function ensureExtra(
  name: string,
  requirements: Requirements,
  folder: string,
  options: ExtraOptions = {},
): Promise<void> {
  const { force, signal, onProgress } = options;
  const file = join(folder, `depthkit-extra-${name}.json`);
  const hash = requirementsHash(requirements);
  if (!force && readJson(file, record)?.hash === hash) return;
  await withSetupLock({ folder, doing: `installing the extra ${name}`, signal, onProgress }, async () => {
    rmSync(file, { force: true });
    await checkDiskSpace(folder, requirements.neededBytes, `The extra ${name}`);
    const python = environmentPython(folder);
    const temporary = join(folder, "tmp");
    mkdirSync(temporary, { recursive: true });
    const args = ["-r", requirements.requirements, "-c", requirements.constraints];
    try {
      const installer = await chooseInstaller({ python, signal, onProgress });
      await installer.install({
        python,
        folder,
        temporary,
        signal,
        onProgress,
        what: `Installing ${name}`,
        args,
      });
      const env = installerEnvironment(temporary);
      const { modules } = requirements;
      const { versions } = await verifyModules({ python, modules, own: false, env, signal, onProgress });
      writeJson(file, { hash, versions });
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
}
