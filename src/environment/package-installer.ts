import type { OnStep } from "./setup-progress.ts";

interface Run {
  /** "Installing the packages", for messages. */
  what: string;
  /** The folder the result goes to, for messages. */
  folder: string;
  temporary: string;
  signal?: AbortSignal | undefined;
  onProgress?: OnStep | undefined;
}

export interface VenvRun extends Run {
  /** The Python that the environment is made with. */
  interpreter: string;
}

export interface InstallRun extends Run {
  /** The Python of the environment that is installed to. */
  python: string;
  /** What comes after `install`, which pip and uv have in common. */
  args: readonly string[];
}

/**
 * What makes environments and installs into them.
 *
 * @throws DepthkitError DISK_FULL, NETWORK, VENV_UNAVAILABLE, MODULE_MISSING, SETUP_FAILED, CANCELLED
 */
export interface PackageInstaller {
  readonly name: "pip" | "uv";
  /** Makes an environment in `folder`, which may hold `temporary` already. */
  venv(run: VenvRun): Promise<void>;
  /** Installs, without compiling: what is imported once afterwards is compiled by that. */
  install(run: InstallRun): Promise<void>;
}

/** Settings that would send packages elsewhere than into the environment they are meant for. */
const misleading = [
  "PIP_USER",
  "PIP_TARGET",
  "PIP_PREFIX",
  "PIP_ROOT",
  "PIP_REQUIRE_VIRTUALENV",
  "PIP_DRY_RUN",
];

/** The caller's variables, the installers' settings among them, without those that would mislead them. */
export function installerEnvironment(temporary: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary };
  for (const name of [...misleading, "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"]) delete env[name];
  return env;
}
