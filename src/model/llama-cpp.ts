import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { withTimeLimit } from "../rpc/time-limit.ts";
import { askRuntime, compareAnswers, optionalPackage } from "./compare-answers.ts";
import { LEAST_ALLOWED } from "./least-allowed.ts";

/** The release that tests run, an optional peer dependency in package.json. */
const VERSION = "3.22.1";

/**
 * What a GGUF file answers in llama.cpp, in a process of its own: llama.cpp ends the one it runs in where a
 * file is not as it expects.
 *
 * @throws DepthkitError MODULE_MISSING, MODEL_INVALID, TIMEOUT, CANCELLED
 */
export function checkGguf(file: string, options: CallOptions): Promise<RuntimeCheck> {
  const what = `Checking ${file} in llama.cpp`;
  return withTimeLimit(what, options, async (signal) => {
    const started = performance.now();
    const module = optionalPackage("node-llama-cpp", VERSION, "Checking a GGUF file needs llama.cpp");
    const script = ["llama-cpp-check.mjs", module, file] as const;
    const found = await askRuntime({ ...options, signal, what, script, path: file });
    return {
      runtime: `llama.cpp (node-llama-cpp ${found.version})`,
      ...compareAnswers(found, (largest) => Math.max(LEAST_ALLOWED, largest)),
      seconds: (performance.now() - started) / 1000,
    };
  });
}
