import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DepthkitError } from "../errors.ts";

interface Package {
  root: string;
  version: string;
}

let found: Package | undefined;

/** The folder of the depthkit package, whether this runs from src/, from dist/ or from a bundle in it. */
export function packageRoot(): string {
  return ownPackage().root;
}

/** depthkit's own version. */
export function packageVersion(): string {
  return ownPackage().version;
}

/** A file or folder of the Python side as the package ships it. */
export function pythonPath(...parts: string[]): string {
  return join(packageRoot(), "python", ...parts);
}

function ownPackage(): Package {
  found ??= searchUpward(dirname(fileURLToPath(import.meta.url)));
  return found;
}

function searchUpward(start: string): Package {
  for (let root = start; ; root = dirname(root)) {
    const version = versionIn(join(root, "package.json"));
    if (version !== undefined) return { root, version };
    if (dirname(root) === root) {
      throw new DepthkitError(
        "INTERNAL",
        `Looked for depthkit's package.json above ${start} and found none. ` +
          "Install the package again: npm install depthkit",
      );
    }
  }
}

/** The version in depthkit's own package.json; undefined where there is none, or another package's. */
function versionIn(file: string): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { name?: unknown; version?: unknown };
    return manifest.name === "depthkit" ? String(manifest.version) : undefined;
  } catch {
    return undefined;
  }
}
