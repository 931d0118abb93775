import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { withTimeLimit } from "../rpc/time-limit.ts";
import { askRuntime, compareAnswers, optionalPackage } from "./compare-answers.ts";
import { LEAST_ALLOWED } from "./least-allowed.ts";

/** The release that exports were run in, an optional peer dependency in package.json. */
const VERSION = "4.3.1";

/**
 * What a graph of an ONNX export answers in transformers.js, in a process of its own.
 *
 * @throws DepthkitError MODULE_MISSING, MODEL_INVALID, TIMEOUT, CANCELLED
 */
export function checkInTransformersJs(
  folder: string,
  dtype: string,
  options: CallOptions,
): Promise<RuntimeCheck> {
  const what = `Checking ${folder} as ${dtype} in transformers.js`;
  return withTimeLimit(what, options, async (signal) => {
    const started = performance.now();
    const why = "Checking in transformers.js needs it";
    const module = optionalPackage("@huggingface/transformers", VERSION, why);
    const script = ["transformers-js-check.mjs", module, folder, dtype] as const;
    const found = await askRuntime({ ...options, signal, what, script, path: folder });
    return {
      runtime: `transformers.js ${found.version}`,
      ...compareAnswers(found, LEAST_ALLOWED),
      seconds: (performance.now() - started) / 1000,
    };
  });
}
