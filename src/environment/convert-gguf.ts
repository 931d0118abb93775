import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { saysDiskFull } from "../platform/file-error.ts";
import { parseJson } from "../platform/json.ts";
import { exitText, lastLines } from "../platform/run-child.ts";
import { installerEnvironment } from "./package-installer.ts";
import { runModule } from "./run-module.ts";
import type { OnStep } from "./setup-progress.ts";
import { workerModules } from "./worker-python.ts";

export interface ConvertOptions {
  python: string;
  /** False for an interpreter of the user's own, whose PYTHONPATH is kept. */
  managed: boolean;
  gguf: string;
  sha256: string;
  out: string;
  temporary: string;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

/** The lines of the converter's standard output that matter here; `child.py` writes them. */
const line = z.union([
  z.object({ done: z.int().nonnegative(), total: z.int().nonnegative() }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
]);

/** Turns a GGUF file into a folder that transformers loads, with a manifest of its files. */
export async function convertGguf(options: ConvertOptions): Promise<void> {
  const what = "Converting the bundled model";
  options.onProgress?.({ step: "model-convert", message: what });
  const args = ["--gguf", options.gguf, "--out", options.out, "--expect-sha256", options.sha256];
  let told: string | undefined;
  const result = await runModule(options.python, ["depthkit_worker.models.convert_gguf", ...args], {
    isolated: false,
    env: {
      ...installerEnvironment(options.temporary),
      PYTHONPATH: workerModules(options.managed ? undefined : process.env["PYTHONPATH"]),
    },
    signal: options.signal,
    onLine: (text, stream) => {
      const message = stream === "stdout" ? parseJson(text, line) : undefined;
      if (!message) return;
      if ("error" in message) told = message.error.message;
      else options.onProgress?.({ step: "model-convert", message: what, ...message, unit: "steps" });
    },
  });
  throwIfCancelled(options.signal, what);
  if (result.code === 0) return;
  const output = lastLines(result.lines);
  const full = saysDiskFull(result.lines.join("\n"));
  const cause = full ? `the disk of ${options.out} is full.` : (told ?? `${exitText(result)}.`);
  throw new DepthkitError(
    full ? "DISK_FULL" : "SETUP_FAILED",
    `${what} failed: ${cause} ${full ? "Free some space and run" : "Run"} it again: npx depthkit setup\n` +
      `Its last lines:\n${output.map((text) => `  ${text}`).join("\n")}`,
    { details: { output } },
  );
}
