import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DepthkitError } from "../errors.ts";

let found: string | undefined;

/** The folder of the depthkit package, whether this file runs from src/, from dist/ or from a bundle in it. */
export function packageRoot(): string {
  found ??= searchUpward(dirname(fileURLToPath(import.meta.url)));
  return found;
}

/** A file or folder of the Python side as the package ships it. */
export function pythonPath(...parts: string[]): string {
  return join(packageRoot(), "python", ...parts);
}

function searchUpward(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && packageName(manifest) === "depthkit") return folder;
    if (dirname(folder) === folder) {
      throw new DepthkitError(
        "INTERNAL",
        `Looked for depthkit's package.json above ${start} and found none. Install the package again: npm install depthkit`,
      );
    }
  }
}

/** depthkit's own version. */
export function packageVersion(): string {
  const manifest = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

function packageName(manifest: string): unknown {
  try {
    return (JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}
