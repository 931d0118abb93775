import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where environments and prepared models are kept: DEPTHKIT_HOME, else the platform's cache folder. */
export function cacheFolder(
  variables: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  // An empty variable counts as unset, as the XDG specification asks.
  const own = variables["DEPTHKIT_HOME"];
  if (own) return resolve(own);
  if (platform === "win32") {
    return join(variables["LOCALAPPDATA"] || join(homedir(), "AppData", "Local"), "depthkit");
  }
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "depthkit");
  return join(variables["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "depthkit");
}

export function environmentsFolder(): string {
  return join(cacheFolder(), "envs");
}

export function modelsFolder(): string {
  return join(cacheFolder(), "models");
}

/** What to do where the cache cannot be written to. */
export const cacheRemedies = {
  full: "Free some space, or set DEPTHKIT_HOME to a folder on a larger disk.",
  notWritable: "Set DEPTHKIT_HOME to a folder of your own.",
} as const;
