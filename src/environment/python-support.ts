import { DepthkitError } from "../errors.ts";
import type { Interpreter } from "./interpreter-probe.ts";

const OLDEST_MINOR = 11;
const NEWEST_MINOR = 14;
export const supportedPythons = `64-bit CPython 3.${OLDEST_MINOR} to 3.${NEWEST_MINOR}`;

export type Support = { kind: "supported" } | { kind: "too-old" | "unsupported"; reason: string };

export function supportOf({ version, implementation, bits }: Interpreter): Support {
  const [major, minor] = version;
  const shown = version.join(".");
  if (implementation !== "CPython") return { kind: "unsupported", reason: `${implementation} ${shown}` };
  if (major < 3 || (major === 3 && minor < OLDEST_MINOR)) {
    return { kind: "too-old", reason: `Python ${shown}` };
  }
  if (bits !== 64) return { kind: "unsupported", reason: `a ${bits}-bit Python ${shown}` };
  if (major > 3 || minor > NEWEST_MINOR) {
    return { kind: "unsupported", reason: `Python ${shown}, newer than 3.${NEWEST_MINOR}` };
  }
  return { kind: "supported" };
}

export function pythonTooOld(python: string, reason: string): DepthkitError {
  return new DepthkitError(
    "PYTHON_TOO_OLD",
    `The interpreter ${python} is ${reason}; the worker needs ${supportedPythons}. ` +
      "Set DEPTHKIT_PYTHON to a newer one, or unset it and run: npx depthkit setup",
    { details: { python, reason } },
  );
}

export function pythonUnsupported(python: string, reason: string): DepthkitError {
  return new DepthkitError(
    "PYTHON_UNSUPPORTED",
    `The interpreter ${python} is ${reason}; the worker needs ${supportedPythons}. ` +
      "Set DEPTHKIT_PYTHON to such a one, or unset it and run: npx depthkit setup",
    { details: { python, reason } },
  );
}

/** How to get a Python that will do, for this operating system. */
export function installLine(platform: NodeJS.Platform = process.platform): string {
  switch (platform) {
    case "win32":
      return "Install one: winget install Python.Python.3.12";
    case "darwin":
      return "Install one: brew install python@3.12";
    default:
      return (
        "Install one: sudo apt install python3 python3-venv (Debian, Ubuntu), " +
        "sudo dnf install python3 (Fedora), or by uv or pyenv"
      );
  }
}
