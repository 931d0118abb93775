import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DepthkitError } from "../errors.ts";
import { packageRoot } from "./package-root.ts";

export interface ChildEntry {
  file: string;
  /** Node's own flags for it. */
  execArgv: string[];
}

/** A module to start a Node process with, in the sources, a build or a bundle: `doctor/doctor-child`. */
export function childEntry(name: string): ChildEntry {
  const source = import.meta.url.endsWith(".ts");
  const beside = fileURLToPath(new URL(`../${name}.${source ? "ts" : "js"}`, import.meta.url));
  const built = [join("dist", `${name}.js`), join("dist", `${basename(name)}.js`)];
  const places = [beside, ...built.map((file) => join(packageRoot(), file))];
  const file = places.find((place) => existsSync(place));
  if (file === undefined) {
    throw new DepthkitError(
      "INTERNAL",
      `Looked for ${name} and found it at none of: ${places.join(", ")}. Install the package again: npm install depthkit`,
    );
  }
  return { file, execArgv: file.endsWith(".ts") ? typescriptFlags() : [...process.execArgv] };
}

/** Node 20 reads TypeScript through tsx only; a test runner that transforms modules itself has no flag for it. */
function typescriptFlags(): string[] {
  if (process.execArgv.some((flag) => flag.includes("tsx"))) return [...process.execArgv];
  const tsx = createRequire(join(packageRoot(), "package.json")).resolve("tsx");
  return ["--import", pathToFileURL(tsx).href];
}
