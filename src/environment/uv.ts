import { throwIfCancelled } from "../platform/cancelled.ts";
import { exitText } from "../platform/run-child.ts";
import { installError } from "./install-failure.ts";
import {
  type InstallRun,
  installerEnvironment,
  type PackageInstaller,
  type VenvRun,
} from "./package-installer.ts";
import { runTied } from "./run-module.ts";
import type { StepProgress } from "./setup-progress.ts";

/** Settings that would send packages elsewhere, or choose others than the pins. */
const misleading = [
  "UV_SYSTEM_PYTHON",
  "UV_PYTHON",
  "UV_PROJECT",
  "UV_WORKING_DIR",
  "UV_CONSTRAINT",
  "UV_OVERRIDE",
  "UV_EXCLUDE",
  "UV_EXCLUDE_NEWER",
  "UV_RESOLUTION",
  "UV_PRERELEASE",
  "UV_TORCH_BACKEND",
  "UV_REQUIRE_HASHES",
  "UV_NO_VERIFY_HASHES",
];

export class UvInstaller implements PackageInstaller {
  readonly name = "uv";

  async venv({ interpreter, ...run }: VenvRun): Promise<void> {
    const args = ["venv", "--no-project", "--allow-existing", "--python", interpreter, run.folder];
    await runUv(interpreter, args, run);
  }

  async install({ args, ...run }: InstallRun): Promise<void> {
    // Of two indexes the one with the pin, as pip has it; by itself uv takes the first that knows the name.
    const strategy = ["--index-strategy", "unsafe-best-match"];
    await runUv(run.python, ["pip", "install", "--python", run.python, ...strategy, ...args], run);
  }
}

async function runUv(python: string, args: readonly string[], run: Omit<VenvRun, "interpreter">) {
  throwIfCancelled(run.signal, run.what);
  const env = installerEnvironment(run.temporary);
  for (const name of misleading) delete env[name];
  // In a folder of its own: uv would read the settings of a project that it is started in.
  const command = ["uv", "--no-progress", "--color", "never", "--directory", run.temporary, ...args];
  const result = await runTied(python, command, {
    env,
    signal: run.signal,
    onLine: (line) => {
      const progress = readUvLine(line);
      if (progress !== undefined) run.onProgress?.(progress);
    },
  });
  throwIfCancelled(run.signal, run.what);
  if (result.code !== 0) throw installError("uv", run.what, run.folder, result.lines, exitText(result));
}

/** What uv tells where it writes to no terminal: a line at the end of each phase, and of large files. */
export function readUvLine(line: string): StepProgress | undefined {
  const [, file] = /^Downloading (\S+) \(.+\)$/.exec(line) ?? [];
  if (file !== undefined) return { step: "download", message: `Downloading ${file}` };
  const [, phase, count] = /^(Resolved|Prepared) (\d+) packages? in /.exec(line) ?? [];
  if (phase === undefined) return undefined;
  if (phase === "Resolved") return { step: "download", message: "Downloading packages" };
  const total = Number(count);
  return { step: "install", message: "Installing packages", done: 0, total, unit: "packages" };
}
