import { DepthkitError, type ErrorCode } from "../errors.ts";
import { cacheRemedies } from "../platform/cache-folder.ts";
import { saysDiskFull, saysNotWritable } from "../platform/file-error.ts";
import { formatBytes } from "../platform/format.ts";
import { lastLines } from "../platform/run-child.ts";
import { supportedPythons } from "./python-support.ts";
import { torchBytes } from "./torch-build.ts";

const wrongHash = /DO NOT MATCH THE HASHES|Hashes are required in --require-hashes mode|Hash mismatch for/;
const noConnection = new RegExp(
  [
    "NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|name resolution",
    "getaddrinfo failed|ProxyError|SSLError|SSLCertVerificationError|Max retries exceeded",
    "Connection (reset|refused|aborted)|ConnectionResetError|RemoteDisconnected|IncompleteRead",
    "50[0-9] Server Error",
    "error sending request|dns error|Failed to fetch|was not found in the package registry",
  ].join("|"),
);
/** In uv's words; where two pins contradict each other it says what is required, and no version. */
const noVersion = /there (?:is|are) no versions? of ([^\s,]+)|has no wheels with a matching/;
const lookedUp = /\(from versions: ([^)]*)\)/;
const noMatch = /No matching distribution found for ([^\s;]+)/;
const noEnsurepip = /ensurepip is not available|No module named '?ensurepip/;

export type InstallFailureReason =
  | "no-space"
  | "wrong-hash"
  | "no-matching-wheel"
  | "no-connection"
  | "no-permission"
  | "no-ensurepip"
  | "conflict"
  | "other";

/** Why pip, venv or uv failed, from the lines it printed. */
export function installFailureReason(lines: readonly string[]): InstallFailureReason {
  const text = lines.join("\n");
  if (saysDiskFull(text)) return "no-space";
  if (wrongHash.test(text)) return "wrong-hash";
  if (noEnsurepip.test(text)) return "no-ensurepip";
  const versions = lookedUp.exec(text)?.[1]?.trim();
  // A pinned name of which no version at all is known: the index was not reached. With retries at 0 pip
  // prints nothing else about it.
  if (versions === "none" || versions === "") return "no-connection";
  if (versions !== undefined || noVersion.test(text)) return "no-matching-wheel";
  if (/ResolutionImpossible|conflicting dependencies/.test(text)) return "conflict";
  if (noConnection.test(text)) return "no-connection";
  if (/No solution found when resolving/.test(text)) return "conflict";
  if (saysNotWritable(text)) return "no-permission";
  return "other";
}

const codeOf: Record<InstallFailureReason, ErrorCode> = {
  "no-space": "DISK_FULL",
  "wrong-hash": "SETUP_FAILED",
  "no-matching-wheel": "SETUP_FAILED",
  "no-connection": "NETWORK",
  "no-permission": "SETUP_FAILED",
  "no-ensurepip": "VENV_UNAVAILABLE",
  conflict: "SETUP_FAILED",
  other: "SETUP_FAILED",
};

/** The error a failed run is reported as. `what` says what it was for: "Installing the packages". */
export function installError(
  by: "pip" | "uv",
  what: string,
  folder: string,
  lines: readonly string[],
  exit: string,
): DepthkitError {
  const reason = installFailureReason(lines);
  const tail = lastLines(lines.filter((line) => line.trim() !== "" && !line.startsWith("Progress ")));
  const said = tail.map((line) => `  ${line}`).join("\n");
  return new DepthkitError(
    codeOf[reason],
    `${what} failed: ${explanation(reason, folder, lines, exit)}\n${by}'s last lines:\n${said}`,
    { details: { reason, exit, installer: by, output: tail } },
  );
}

function explanation(
  reason: InstallFailureReason,
  folder: string,
  lines: readonly string[],
  exit: string,
): string {
  switch (reason) {
    case "no-space":
      return (
        `the disk of ${folder} is full. An environment takes about ${formatBytes(torchBytes.cpu.needed)} ` +
        `with a ` +
        `CPU build of torch, about ${formatBytes(torchBytes.cu130.needed)} with a CUDA build. ` +
        `${cacheRemedies.full}`
      );
    case "wrong-hash":
      return (
        "a downloaded file is not the one that was pinned. Check the package index (PIP_INDEX_URL, pip's " +
        "configuration; with uv UV_DEFAULT_INDEX) and run the command again."
      );
    case "no-matching-wheel": {
      const wanted = [noMatch, noVersion].map((said) => said.exec(lines.join("\n"))?.[1]);
      const name = wanted.find((found) => found !== undefined) ?? "a package";
      return (
        `the package index has no file of ${name} for this Python and this machine. Use ` +
        `${supportedPythons} ` +
        "on Linux (glibc), macOS or Windows, or set DEPTHKIT_PYTHON to an interpreter that has these " +
        "packages."
      );
    }
    case "no-connection":
      return (
        "the package index could not be reached. Check the network, a proxy (HTTPS_PROXY) and the settings " +
        "of pip (PIP_INDEX_URL, PIP_NO_INDEX) or uv (UV_DEFAULT_INDEX), and run the command again: both " +
        "keep what they have downloaded."
      );
    case "no-permission":
      return `${folder} cannot be written to. ${cacheRemedies.notWritable}`;
    case "no-ensurepip":
      return (
        "this Python has no ensurepip, without which an environment has no pip. On Debian or Ubuntu: " +
        "sudo apt install python3-venv."
      );
    case "conflict":
      return (
        "the pinned versions contradict a constraint of this machine (PIP_CONSTRAINT, pip's " +
        "configuration). " +
        "Lift that constraint for this command."
      );
    case "other":
      return `${exit}.`;
  }
}
