import { expect, test } from "vitest";
import { installError, installFailureReason } from "../../../src/environment/install-failure.ts";

const retry = (what: string) =>
  `WARNING: Retrying (Retry(total=0)) after connection broken by '${what}': /simple/six/`;

const unsolved = "error: No solution found when resolving dependencies";

test.each([
  ["no-space", ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]],
  ["no-space", [retry("NewConnectionError"), "OSError: [Errno 122] Disk quota exceeded"]],
  ["no-connection", [retry("NewConnectionError('Connection refused')"), "ERROR: Could not find a version"]],
  ["no-connection", [retry("NameResolutionError: Temporary failure in name resolution")]],
  ["no-connection", [retry("ProxyError('Cannot connect to proxy.')")]],
  ["no-connection", [retry("SSLError(SSLCertVerificationError(1, 'certificate verify failed'))")]],
  [
    "no-connection",
    [
      "ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)",
      "ERROR: No matching distribution found for six==1.17.0",
    ],
  ],
  [
    "no-matching-wheel",
    [
      "ERROR: Could not find a version that satisfies the requirement six==9.0 (from versions: 1.16.0, " +
        "1.17.0)",
      "ERROR: No matching distribution found for six==9.0",
    ],
  ],
  ["wrong-hash", ["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."]],
  [
    "no-permission",
    ["ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: 'x'"],
  ],
  ["no-ensurepip", ["The virtual environment was not created because ensurepip is not available."]],
  ["conflict", ["ERROR: ResolutionImpossible: for help visit"]],
  ["other", ["error: subprocess-exited-with-error"]],
  ["no-connection", ["error: Failed to fetch: http://127.0.0.1:9/six/", "  cause: tcp connect error"]],
  [
    "no-matching-wheel",
    [unsolved, "  cause: Because there is no version of six==9.0 and you require six==9.0"],
  ],
  ["no-connection", [unsolved, "  cause: Because six was not found in the package registry and you require"]],
  ["conflict", [unsolved, "  cause: Because you require six==1.16.0 and six==1.17.0, we can conclude that"]],
  ["wrong-hash", ["error: Failed to download `six==1.17.0`", "  cause: Hash mismatch for `six==1.17.0`"]],
] as const)("%s", (reason, lines) => {
  expect(installFailureReason(lines)).toBe(reason);
});

test("the error says what was being done, what to do, and shows pip's words", () => {
  const lines = [
    "Progress 1 of 2",
    "ERROR: No matching distribution found for six==9.0 (from versions: 1.16.0)",
  ];
  const error = installError("pip", "Installing the packages", "some-folder", lines, "exit code 1");
  expect(error.code).toBe("SETUP_FAILED");
  expect(error.details).toMatchObject({ reason: "no-matching-wheel" });
  expect(error.message).toMatch(/^Installing the packages failed: .* six==9\.0 for this Python/);
  expect(error.message).not.toContain("Progress");
  expect(installError("pip", "x", "f", ["[Errno 28]"], "exit code 1").code).toBe("DISK_FULL");
  expect(installError("pip", "x", "f", ["ProxyError"], "exit code 1").code).toBe("NETWORK");
});
