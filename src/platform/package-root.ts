import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { readJson } from "./json.ts";

const manifest = z.object({ name: z.literal("depthkit"), version: z.string() });

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
    const own = readJson(join(root, "package.json"), manifest);
    if (own) return { root, version: own.version };
    if (dirname(root) === root) {
      throw new DepthkitError(
        "INTERNAL",
        `Looked for depthkit's package.json above ${start} and found none. ` +
          "Install the package again: npm install depthkit",
      );
    }
  }
}
