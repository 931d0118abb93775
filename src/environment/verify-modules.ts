import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { parseJson } from "../platform/json.ts";
import { exitText, lastLines, runChild } from "../platform/run-child.ts";
import { ISOLATED, SAFE_PATH } from "./python-flags.ts";
import type { RequiredModule } from "./requirements.ts";
import { pinOf } from "./requirements.ts";
import type { OnStep } from "./setup-progress.ts";

const SCRIPT = `
import importlib, importlib.metadata, json, os, sys, sysconfig
print(json.dumps({"packages": sysconfig.get_path("purelib"), "executable": sys.executable}), flush=True)
for module, package in json.loads(sys.argv[1]):
    try:
        importlib.import_module(module)
        found = {"version": importlib.metadata.version(package)}
    except BaseException as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"module": module, **found}), flush=True)
`;

const answer = z.union([
  z.object({ packages: z.string(), executable: z.string() }),
  z.object({ module: z.string(), version: z.string() }),
  z.object({ module: z.string(), error: z.string() }),
]);

export interface VerifyOptions {
  python: string;
  modules: readonly RequiredModule[];
  /** The interpreter is the user's own: keep their PYTHONPATH, and tell them the pip command. */
  own: boolean;
  env: NodeJS.ProcessEnv;
  /** The requirements file that pins these modules. Default: the worker's. */
  pins?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

export interface Verified {
  /** Version by package. */
  versions: Record<string, string>;
  /** The folder packages are installed to. */
  sitePackages: string;
}

/**
 * Imports every module the worker needs, in one process, which also compiles what was just installed.
 *
 * @throws DepthkitError MODULE_MISSING, CANCELLED
 */
export async function verifyModules(options: VerifyOptions): Promise<Verified> {
  const { modules, python, own } = options;
  const versions: Record<string, string> = {};
  const failed: { module: RequiredModule; error: string }[] = [];
  let sitePackages = "";
  const answered = () => Object.keys(versions).length + failed.length;
  const report = () =>
    options.onProgress?.({
      step: "verify",
      message: "Importing the packages",
      done: answered(),
      total: modules.length,
      unit: "modules",
    });
  report();
  const pairs = JSON.stringify(modules.map((entry) => [entry.module, entry.package]));
  const result = await runChild(python, [...(own ? SAFE_PATH : ISOLATED), "-c", SCRIPT, pairs], {
    env: options.env,
    signal: options.signal,
    timeoutMs: 300_000,
    onLine: (line, stream) => {
      const told = stream === "stdout" ? parseJson(line, answer) : undefined;
      if (!told) return;
      if ("packages" in told) {
        sitePackages = told.packages;
        return;
      }
      const module = modules.find((entry) => entry.module === told.module);
      if (module && "version" in told) versions[module.package] = told.version;
      if (module && "error" in told) failed.push({ module, error: told.error });
      report();
    },
  });
  throwIfCancelled(options.signal, "Importing the packages");
  const next = modules[answered()];
  if (next) failed.push({ module: next, error: `${exitText(result)} at its import` });
  if (failed.length > 0) throw moduleError(options, failed, result.lines);
  return { versions, sitePackages };
}

function moduleError(
  { python, own, pins: file }: VerifyOptions,
  failed: readonly { module: RequiredModule; error: string }[],
  lines: readonly string[],
): DepthkitError {
  const list = failed.map(({ module, error }) => `  ${module.module}: ${error}`).join("\n");
  const pins = failed.map(({ module }) => `"${pinOf(module.package, file)}"`).join(" ");
  return new DepthkitError(
    "MODULE_MISSING",
    `The worker's modules do not all import with ${python}:\n${list}\n${
      own
        ? `Install them: "${python}" -m pip install ${pins}`
        : "Make the environment anew: npx depthkit setup --force"
    }`,
    { details: { python, modules: failed.map(({ module }) => module.module), output: lastLines(lines) } },
  );
}
