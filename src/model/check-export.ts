import { existsSync, statSync } from "node:fs";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import { aFlag, checkOptions } from "../options.ts";
import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import { LEAST_ALLOWED } from "./least-allowed.ts";

export interface CheckExportOptions extends CallOptions {
  /** Run the modelling file that lies in a folder of depthkit's own layout. */
  trustRemoteCode?: boolean | undefined;
}

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
  if (!target.endsWith(".gguf")) {
    return (await connection.request("export.check", { folder: target }, options)).result;
  }
  checkOptions("export.check", options, { ...workerCallChecks, trustRemoteCode: aFlag });
  const { trustRemoteCode, ...call } = options;
  if (trustRemoteCode !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Checking ${path}: trustRemoteCode does nothing for a GGUF file, which holds no code. Leave it out.`,
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
