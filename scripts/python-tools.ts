/**
 * The Python tools that tests and checks need (pytest, mypy, ruff, import-linter), beside the worker's
 * environment and never in it: a user's environment holds what the worker needs, and no more.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { resolveWorkerPython } from "../src/worker/worker-python.ts";
import { root, runStep } from "./steps.ts";

export interface PythonTools {
  python: string;
  env: Record<string, string>;
}

export async function pythonTools(): Promise<PythonTools> {
  const { python } = await resolveWorkerPython();
  const requirements = join(root, "python", "requirements-dev.txt");
  const hash = createHash("sha256")
    .update(python)
    .update(readFileSync(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(root, ".depthkit", `python-tools-${hash}`);
  if (!existsSync(folder)) {
    console.error("Installing the Python test tools ...");
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    runStep(python, [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--no-compile",
      "--target",
      partial,
      "-r",
      requirements,
    ]);
    renameSync(partial, folder);
  }
  const path = [folder, join(root, "python", "src")].join(delimiter);
  return { python, env: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "", OMP_WAIT_POLICY: "PASSIVE" } };
}
