import { lstat, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { bundledModel, isModelWhole } from "../environment/bundled-model.ts";
import { environmentNames } from "../environment/environment-folder.ts";
import { stateOfFolder } from "../environment/environment-state.ts";
import { onnxEnvironmentFolder } from "../environment/onnx-environment.ts";
import { cacheFolder, environmentsFolder, modelsFolder } from "../platform/cache-folder.ts";
import type { DoctorReport } from "./doctor-report.ts";

type CacheReport = DoctorReport["cache"];

/** What the cache holds and how much room it takes. */
export async function cacheReport(inUse: string | undefined): Promise<CacheReport> {
  const used = [inUse, onnxEnvironmentFolder()];
  const environments: CacheReport["environments"] = [];
  for (const name of environmentNames()) {
    const folder = join(environmentsFolder(), name);
    const state = stateOfFolder(folder).kind;
    environments.push({ name, bytes: await sizeOf(folder), state, inUse: used.includes(folder) });
  }
  const models: CacheReport["models"] = [];
  for (const name of await modelNames()) {
    const folder = join(modelsFolder(), name);
    models.push({ name, bytes: await sizeOf(folder), whole: isModelWhole(folder) });
  }
  return { folder: cacheFolder(), freeBytes: await freeBytes(), environments, models };
}

async function modelNames(): Promise<string[]> {
  const own = bundledModel().folder;
  const entries = await readdir(modelsFolder(), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !/\.(lock|tmp)$/.test(entry.name))
    .map((entry) => entry.name)
    .sort((a, b) => Number(own.endsWith(b)) - Number(own.endsWith(a)) || a.localeCompare(b));
}

async function freeBytes(): Promise<number> {
  for (const folder of [cacheFolder(), join(cacheFolder(), ".."), "/"]) {
    const stats = await statfs(folder).catch(() => undefined);
    if (stats) return stats.bavail * stats.bsize;
  }
  return 0;
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sizeOf(path);
      return (await lstat(path).catch(() => undefined))?.size ?? 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
