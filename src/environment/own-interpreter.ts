import { createHash } from "node:crypto";
import { realpathSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../platform/cache-folder.ts";
import { readJson, writeJson } from "../platform/json.ts";
import { checkOwnInterpreter } from "./interpreter.ts";
import { type Requirements, requirementsHash } from "./requirements.ts";
import type { OnStep } from "./setup-progress.ts";
import { verifyModules } from "./verify-modules.ts";

/** The interpreter DEPTHKIT_PYTHON names, where it is set. */
export function ownInterpreter(variables: NodeJS.ProcessEnv = process.env): string | undefined {
  return variables["DEPTHKIT_PYTHON"] || undefined;
}

const record = z.object({ state: z.string(), sitePackages: z.string() });

export interface VerifyOwnOptions {
  python: string;
  requirements: Requirements;
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/**
 * Checks that an interpreter of the user's own has all the worker imports. The answer is remembered until
 * the interpreter, its folder of packages or the requirements change: the imports take seconds.
 *
 * @throws DepthkitError PYTHON_NOT_FOUND, PYTHON_TOO_OLD, PYTHON_UNSUPPORTED, MODULE_MISSING, CANCELLED
 */
export async function verifyOwnInterpreter(options: VerifyOwnOptions): Promise<void> {
  const { python, requirements, signal, onProgress } = options;
  const file = join(
    cacheFolder(),
    "interpreters",
    `${digest(`${python}\0${process.env["PYTHONPATH"] ?? ""}`)}.json`,
  );
  const hash = requirementsHash(requirements);
  const known = options.force ? undefined : readJson(file, record);
  const program = programFile(python);
  if (known && program && known.state === stateOf(program, known.sitePackages, hash)) return;
  onProgress?.({ step: "interpreter", message: `Checking ${python}` });
  await checkOwnInterpreter(python, signal);
  const { sitePackages } = await verifyModules({
    python,
    modules: requirements.modules,
    own: true,
    env: process.env,
    signal,
    onProgress,
  });
  if (program) writeJson(file, { state: stateOf(program, sitePackages, hash), sitePackages, python });
}

function stateOf(program: string, sitePackages: string, hash: string): string {
  const facts = [hash, sitePackages];
  try {
    const real = realpathSync(program);
    const stats = statSync(real);
    facts.push(real, String(stats.size), String(stats.mtimeMs), String(statSync(sitePackages).mtimeMs));
  } catch {
    return "";
  }
  return digest(facts.join("\0"));
}

/** The file a program name stands for, as the shell would find it. */
function programFile(program: string): string | undefined {
  if (isAbsolute(program) || /[\\/]/.test(program)) return resolve(program);
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(folder, program);
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  }
  return undefined;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
