import type { onnxDtypes } from "../protocol/export.ts";
import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { withTimeLimit } from "../rpc/time-limit.ts";
import { askRuntime, compareAnswers, optionalPackage } from "./compare-answers.ts";

/** The release that exports were run in, an optional peer dependency in package.json. */
const VERSION = "4.3.1";

type Dtype = (typeof onnxDtypes)[number];

/** As in the worker's checks, which are in onnxruntime. */
const noise: Readonly<Record<Dtype, number>> = { fp32: 2e-3, fp16: 5e-2, int8: 1e-2, q4: 1e-2 };

/**
 * What a graph of an ONNX export answers in transformers.js, in a process of its own.
 *
 * @throws DepthkitError MODULE_MISSING, MODEL_INVALID, TIMEOUT, CANCELLED
 */
export function checkInTransformersJs(
  folder: string,
  dtype: Dtype,
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
      ...compareAnswers(found, () => noise[dtype]),
      seconds: (performance.now() - started) / 1000,
    };
  });
}
