import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { runModule } from "./run-module.ts";

/**
 * Whether an interpreter's own pip prints raw progress lines, as it does from 24.1.
 *
 * @throws DepthkitError MODULE_MISSING where it has no pip
 */
export async function requirePip(python: string, signal?: AbortSignal): Promise<boolean> {
  const result = await runModule(python, ["pip", "--version"], { signal });
  throwIfCancelled(signal, "Asking for pip's version");
  const version = /^pip (\d+)\.(\d+)/m.exec(result.lines.join("\n"));
  if (result.code !== 0 || !version) {
    throw new DepthkitError(
      "MODULE_MISSING",
      `Downloading the bundled model with ${python}: it has no pip. Add it: "${python}" -m ensurepip --upgrade`,
      { details: { python, module: "pip" } },
    );
  }
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 24 || (major === 24 && minor >= 1);
}
