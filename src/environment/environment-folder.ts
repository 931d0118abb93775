import { readdirSync } from "node:fs";
import { join } from "node:path";
import { environmentsFolder } from "../platform/cache-folder.ts";
import type { Interpreter } from "./interpreter-probe.ts";

/** `py311-linux-x64-0123456789ab`: the name says all that one environment can differ in from another. */
export function environmentName({ version }: Interpreter, hash: string): string {
  return `py${version[0]}${version[1]}-${process.platform}-${process.arch}-${hash}`;
}

/** The same for an environment that is not the worker's, whatever Python it was made with. */
export function namedEnvironment(name: "onnx", hash: string): string {
  return `${name}-${process.platform}-${process.arch}-${hash}`;
}

const namePattern = /^(py3[0-9]{1,2}|onnx)-[a-z0-9]+-[a-z0-9]+-[0-9a-f]{12}$/;

export function isEnvironmentName(name: string): boolean {
  return namePattern.test(name);
}

/** The names of all environments in the cache, whole or not. */
export function environmentNames(): string[] {
  try {
    return readdirSync(environmentsFolder()).filter(isEnvironmentName).sort();
  } catch {
    return [];
  }
}

/** The environments made from these requirements for this machine, one for each Python version at most. */
export function environmentsFor(hash: string): string[] {
  const ending = `-${process.platform}-${process.arch}-${hash}`;
  return environmentNames()
    .filter((name) => name.endsWith(ending))
    .map((name) => join(environmentsFolder(), name));
}

export function environmentPython(folder: string): string {
  return process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

/** Where an environment made with Python 3.`minor` keeps its packages, relative to its folder. */
export function sitePackages(minor: number): string {
  return process.platform === "win32"
    ? join("Lib", "site-packages")
    : join("lib", `python3.${minor}`, "site-packages");
}
