import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pythonPath } from "../platform/package-root.ts";
import { torchBytes } from "./torch-build.ts";

/** A module the worker imports, and the package on the registry that brings it. */
export interface RequiredModule {
  module: string;
  package: string;
}

/** In the order in which a failing one is best explained: the light ones first. */
export const requiredModules: readonly RequiredModule[] = [
  { module: "msgspec", package: "msgspec" },
  { module: "zmq", package: "pyzmq" },
  { module: "numpy", package: "numpy" },
  { module: "safetensors", package: "safetensors" },
  { module: "tokenizers", package: "tokenizers" },
  { module: "torch", package: "torch" },
  { module: "transformers", package: "transformers" },
  { module: "accelerate", package: "accelerate" },
  { module: "gguf", package: "gguf" },
];

/** What an environment is made from. Another set of files makes another environment. */
export interface Requirements {
  /** What the environment is for, where that is not the worker. */
  name?: "onnx";
  /** A pip requirements file. */
  requirements: string;
  /** A pip constraints file, which pins what the requirements bring along. */
  constraints: string;
  /** What must import afterwards. */
  modules: readonly RequiredModule[];
  /**
   * Free space the environment needs, in bytes; with torch among the packages more where its build is large.
   */
  neededBytes: number;
}

export function workerRequirements(): Requirements {
  return {
    requirements: pythonPath("requirements.txt"),
    constraints: pythonPath("constraints.txt"),
    modules: requiredModules,
    neededBytes: torchBytes.cpu.needed,
  };
}

/** How messages call an environment. */
export const environmentOf = ({ name }: Requirements): string =>
  name === undefined ? "the worker's Python environment" : `the Python environment of the extra ${name}`;

/** 12 hexadecimal digits that change when a pin does, and not with comments or line ends. */
export function requirementsHash({ requirements, constraints }: Requirements): string {
  const hash = createHash("sha256");
  for (const file of [requirements, constraints]) {
    const lines = readFileSync(file, "utf8").split(/\r?\n/);
    const pins = lines.map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
    hash.update(pins.join("\n")).update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

/** The `name==version` of a package in a requirements file, or its bare name where it is not pinned. */
export function pinOf(packageName: string, requirementsFile = pythonPath("requirements.txt")): string {
  let text = "";
  try {
    text = readFileSync(requirementsFile, "utf8");
  } catch {
    return packageName;
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.find((line) => line.toLowerCase().startsWith(`${packageName.toLowerCase()}==`)) ?? packageName;
}
