import { readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJson, writeJson } from "../platform/json.ts";
import { environmentPython, sitePackages } from "./environment-folder.ts";
import type { Interpreter } from "./interpreter-probe.ts";

const LARGE_BYTES = 1_000_000;

const marker = z.object({
  format: z.literal(1),
  createdAt: z.string(),
  python: z.tuple([z.int(), z.int(), z.int()]),
  /** What the environment's interpreter links to: another one there later would not find the packages. */
  interpreter: z.string(),
  sitePackages: z.string(),
  versions: z.record(z.string(), z.string()),
  /** The names in site-packages. */
  entries: z.array(z.string()),
  /** The sizes of the compiled libraries in site-packages, by path. */
  libraries: z.record(z.string(), z.int()),
});
export type EnvironmentMarker = z.infer<typeof marker>;

/** Written last: an environment without it was never finished. */
export function markerFile(folder: string): string {
  return join(folder, "depthkit-env.json");
}

export function writeMarker(
  folder: string,
  { version }: Interpreter,
  versions: Record<string, string>,
): void {
  const packages = sitePackages(version[1]);
  const root = join(folder, packages);
  const written: EnvironmentMarker = {
    format: 1,
    createdAt: new Date().toISOString(),
    python: version,
    interpreter: realpathSync(environmentPython(folder)),
    sitePackages: packages,
    versions,
    entries: entriesOf(root),
    libraries: librariesOf(root),
  };
  writeJson(markerFile(folder), written);
}

export function readMarker(folder: string): EnvironmentMarker | undefined {
  return readJson(markerFile(folder), marker);
}

/** What is wrong with a finished environment, as far as a look at its folders tells; a few milliseconds. */
export function damageOf(folder: string, found: EnvironmentMarker): string | undefined {
  const python = environmentPython(folder);
  try {
    if (realpathSync(python) !== found.interpreter) {
      return `its interpreter has become another one (it was ${found.interpreter})`;
    }
  } catch {
    return `its interpreter is gone (${found.interpreter})`;
  }
  const root = join(folder, found.sitePackages);
  const there = new Set(entriesOf(root));
  const absent = found.entries.find((entry) => !there.has(entry));
  if (absent !== undefined) return `${absent} is gone from it`;
  for (const [file, bytes] of Object.entries(found.libraries)) {
    const stats = statSync(join(root, file), { throwIfNoEntry: false });
    if (stats?.size !== bytes) return `${file} is ${stats ? "damaged" : "gone from it"}`;
  }
  return undefined;
}

function entriesOf(root: string): string[] {
  try {
    // pip may be renewed by hand; __pycache__ comes and goes.
    return readdirSync(root).filter((name) => !/^(pip|pip-.*|__pycache__)$/.test(name));
  } catch {
    return [];
  }
}

function librariesOf(root: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(so(\.[0-9.]+)?|dylib|dll|pyd)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const { size } = statSync(path);
    if (size > LARGE_BYTES) found[path.slice(root.length + 1)] = size;
  }
  return found;
}
