import { DepthkitError } from "../errors.ts";
import type { Candidate, Probe } from "./interpreter-probe.ts";
import { installLine, supportedPythons, supportOf } from "./python-support.ts";

/** Why none of the candidates will do: the most hopeful finding decides what the user is told. */
export function noInterpreterError(
  probes: readonly Probe[],
  platform: NodeJS.Platform = process.platform,
): DepthkitError {
  const findings = probes.map((probe) => ({ candidate: shown(probe.candidate), reason: reasonOf(probe) }));
  const list = findings.map(({ candidate, reason }) => `  ${candidate}: ${reason}`).join("\n");
  const details = { candidates: findings };
  const kinds = probes.map(kindOf);

  const venvless = probes.find((probe) => kindOf(probe) === "no-venv");
  if (venvless?.kind === "found") {
    const { version, executable } = venvless.interpreter;
    return new DepthkitError(
      "VENV_UNAVAILABLE",
      `Looking for a Python to make the worker's environment with: ${executable} is recent enough, ` +
        `but has no ${venvless.interpreter.venv ? "ensurepip" : "venv"} module. ` +
        `${venvLine(version[1], platform)}\nTried:\n${list}`,
      { details },
    );
  }
  if (kinds.includes("unsupported")) {
    return new DepthkitError(
      "PYTHON_UNSUPPORTED",
      `The worker needs ${supportedPythons}; the Pythons found are others. ` +
        `${installLine(platform)}\nTried:\n${list}`,
      { details },
    );
  }
  if (kinds.includes("too-old")) {
    return new DepthkitError(
      "PYTHON_TOO_OLD",
      `The worker needs ${supportedPythons}; the Pythons found are older. ` +
        `${installLine(platform)}\nTried:\n${list}`,
      { details },
    );
  }
  return new DepthkitError(
    "PYTHON_NOT_FOUND",
    `No Python was found; the worker needs ${supportedPythons}. ${installLine(platform)}, ` +
      `or set DEPTHKIT_PYTHON to an interpreter that has torch.\nTried:\n${list}`,
    { details },
  );
}

function kindOf(probe: Probe): "absent" | "too-old" | "unsupported" | "no-venv" {
  if (probe.kind === "absent") return "absent";
  if (probe.kind === "ancient") return "too-old";
  const support = supportOf(probe.interpreter);
  return support.kind === "supported" ? "no-venv" : support.kind;
}

function reasonOf(probe: Probe): string {
  if (probe.kind !== "found") return probe.reason;
  const support = supportOf(probe.interpreter);
  return support.kind === "supported" ? "lacks venv or ensurepip" : support.reason;
}

function shown({ program, args }: Candidate): string {
  return [program, ...args].join(" ");
}

function venvLine(minor: number, platform: NodeJS.Platform): string {
  return platform === "linux"
    ? `Install it: sudo apt install python3.${minor}-venv (Debian, Ubuntu)`
    : installLine(platform);
}
