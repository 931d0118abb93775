/**
 * The Python tools that tests and checks need (pytest, mypy, ruff, import-linter, vulture), beside the
 * worker's environment and never in it: a user's environment holds what the worker needs, and no more.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { root, runStep } from "./steps.ts";

export interface PythonTools {
  python: string;
  env: Record<string, string>;
}

export async function pythonTools(): Promise<PythonTools> {
  const { python } = await resolveWorkerPython();
  const path = [
    installed(python, "python-tools", "requirements-dev.txt"),
    join(root, "python", "src"),
    // Extras of the product, which tests need. Behind the rest, and beside the worker's packages.
    installed(python, "lm-eval", "requirements-lm-eval.txt"),
    installed(python, "ray", "requirements-ray.txt"),
    installed(python, "bitsandbytes", "requirements-bitsandbytes.txt"),
    installed(python, "compressed-tensors", "requirements-compressed-tensors.txt"),
    installed(python, "mlx", "requirements-mlx.txt"),
  ].join(delimiter);
  return { python, env: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "", OMP_WAIT_POLICY: "PASSIVE" } };
}

/** A folder of this repository with exactly what a requirements file lists. */
function installed(python: string, name: string, file: string): string {
  const requirements = join(root, "python", file);
  const hash = createHash("sha256")
    .update(python)
    .update(readFileSync(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(root, ".depthkit", `${name}-${hash}`);
  if (!existsSync(folder)) {
    console.error(`Installing the packages of ${file} for the tests ...`);
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    const target = ["--no-compile", "--no-deps", "--target", partial, "-r", requirements];
    runStep(python, ["-m", "pip", "install", "--quiet", ...target]);
    renameSync(partial, folder);
  }
  return folder;
}
