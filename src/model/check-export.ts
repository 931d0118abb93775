import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import { aFlag, anyOf, type Checks, checkOptions } from "../options.ts";
import { onnxDtypes } from "../protocol/export.ts";
import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import { type ExportRuntime, exportRuntimes } from "./export-runtimes.ts";
import { LEAST_ALLOWED } from "./least-allowed.ts";

export interface CheckExportOptions extends CallOptions {
  /** Run the modelling file that lies in a folder of depthkit's own layout. */
  trustRemoteCode?: boolean | undefined;
  /** Which graph of an ONNX export. Default: the widest that is there. */
  dtype?: (typeof onnxDtypes)[number] | undefined;
  /** What loads a checkpoint (default: transformers) or an ONNX export (onnxruntime). */
  runtime?: ExportRuntime | undefined;
}

const checks: Checks<CheckExportOptions> = {
  ...workerCallChecks,
  trustRemoteCode: aFlag,
  dtype: anyOf(...onnxDtypes),
  runtime: anyOf(...exportRuntimes),
};

/** What was written, in the software that it is for, beside the whole model there. */
export interface ExportCheck {
  /** What was written. */
  readonly written: RuntimeCheck;
  /** The whole model, written and loaded the same way; null where nothing was removed. */
  readonly whole: RuntimeCheck | null;
  /** The largest difference that passes: three times that of the whole model, and 2e-3 at least. */
  readonly allowed: number | null;
}

const TIMES_WHOLE = 3;

/**
 * What an exported folder or GGUF file answers in the software that it is for.
 *
 * @throws DepthkitError FILE_NOT_FOUND, MODULE_MISSING, MODEL_INVALID, INVALID_ARGUMENT, NOT_MEASURABLE
 */
export async function checkPath(
  connection: Executor,
  path: string,
  options: CheckExportOptions = {},
): Promise<RuntimeCheck> {
  const target = pathFor(connection, path);
  checkOptions("checkExport", options, checks);
  const { runtime, ...asked } = options;
  if (runtime === "transformers.js") return inTransformersJs(connection, path, asked);
  if (!target.endsWith(".gguf")) {
    return (await connection.request("export.check", { folder: target, runtime }, asked)).result;
  }
  const { trustRemoteCode, dtype, ...call } = asked;
  if (runtime !== undefined) throw notForGguf(path, runtime);
  if (trustRemoteCode !== undefined || dtype !== undefined) {
    const name = dtype === undefined ? "trustRemoteCode" : "dtype";
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Checking ${path}: ${name} does nothing for a GGUF file, which holds no code and is of one kind. ` +
        "Leave it out.",
    );
  }
  if (connection.remote !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Checking ${path}: llama.cpp runs in this program, and the file is on the machine of the worker at ` +
        `${connection.remote}. Fetch its folder (kit.fetch), and check the copy.`,
    );
  }
  if (!existsSync(target) || !statSync(target).isFile()) {
    throw new DepthkitError("FILE_NOT_FOUND", `Checking ${path}: there is no such file.`, {
      details: { path },
    });
  }
  const { checkGguf } = await import("./llama-cpp.ts");
  return checkGguf(target, call);
}

/** The graph of an ONNX export on this machine, in transformers.js. */
async function inTransformersJs(
  connection: Executor,
  path: string,
  options: CheckExportOptions,
): Promise<RuntimeCheck> {
  if (options.trustRemoteCode !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Checking ${path}: trustRemoteCode does nothing for an ONNX export, which holds no code. Leave it out.`,
    );
  }
  if (connection.remote !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Checking ${path}: transformers.js runs in this program, and the folder is on the machine of the worker ` +
        `at ${connection.remote}. Fetch it (kit.fetch), and check the copy.`,
    );
  }
  const target = pathFor(connection, path);
  if (!existsSync(join(target, "onnx"))) throw notOnnx(path);
  const { dtype: asked, trustRemoteCode: _, ...call } = options;
  const there = onnxDtypes.filter((name) => existsSync(join(target, "onnx", graphName(name))));
  const dtype = asked ?? there[0];
  if (dtype === undefined || !there.includes(dtype)) {
    throw new DepthkitError(
      "FILE_NOT_FOUND",
      `Checking ${path}: it has no graph ${dtype ?? "that transformers.js knows"}; its dtypes are ` +
        `${there.join(", ") || "none"}.`,
      { details: { path } },
    );
  }
  const { checkInTransformersJs } = await import("./transformers-js.ts");
  return checkInTransformersJs(target, dtype, call);
}

/** Where transformers.js looks for a dtype. */
const graphName = (dtype: string) => `model${dtype === "fp32" ? "" : `_${dtype}`}.onnx`;

function notForGguf(path: string, runtime: string): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `Checking ${path}: ${runtime} does not load GGUF files, which llama.cpp runs. Leave runtime out.`,
    { details: { path, runtime } },
  );
}

function notOnnx(path: string): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `Checking ${path}: transformers.js runs ONNX exports, and this is none: it has no folder onnx. Leave ` +
      "runtime out.",
    { details: { path, runtime: "transformers.js" } },
  );
}

/**
 * @throws DepthkitError EXPORT_DIFFERS where what was written answers otherwise than it should, and the whole
 * model beside it does not
 */
export function judge(path: string, written: RuntimeCheck, whole: RuntimeCheck | null): ExportCheck {
  if (whole === null) return { written, whole, allowed: null };
  const allowed = Math.max(LEAST_ALLOWED, TIMES_WHOLE * whole.largestDifference);
  const faults = [
    ...(written.largestDifference > allowed
      ? [
          `log-probabilities differ by up to ${written.largestDifference.toPrecision(3)} from those in memory, ` +
            `and ${allowed.toPrecision(3)} is allowed`,
        ]
      : []),
    ...(whole.cached === 1 && written.cached < 1
      ? ["text written with a cache is another than without, which is not so for the whole model"]
      : []),
  ];
  if (faults.length > 0) {
    throw new DepthkitError(
      "EXPORT_DIFFERS",
      `${path} answers otherwise in ${written.runtime} than it should: ${faults.join("; ")}. The file is ` +
        "there; do not serve it, and report this.",
      { details: { path, written, whole, allowed } },
    );
  }
  return { written, whole, allowed };
}
