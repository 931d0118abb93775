import { z } from "zod";
import { parseJson } from "../platform/json.ts";
import { runChild } from "../platform/run-child.ts";
import { ISOLATED } from "./python-flags.ts";

/** How a Python is called: a program and the arguments that select a version (the Windows launcher's). */
export interface Candidate {
  program: string;
  args: readonly string[];
}

const interpreter = z.object({
  version: z.tuple([z.int(), z.int(), z.int()]),
  executable: z.string().min(1),
  implementation: z.string(),
  bits: z.int(),
  venv: z.boolean(),
  ensurepip: z.boolean(),
  machine: z.string(),
  libc: z.string(),
});
export type Interpreter = z.infer<typeof interpreter>;

export type Probe =
  | { candidate: Candidate; kind: "found"; interpreter: Interpreter }
  | { candidate: Candidate; kind: "absent"; reason: string }
  /** It ran, and is so old that it does not know the options of the question. */
  | { candidate: Candidate; kind: "ancient"; reason: string };

// Written for any Python 3, so that an old one can say how old it is.
const QUESTION = `
import json, platform, struct, sys
from importlib.util import find_spec
print(json.dumps({
    "version": list(sys.version_info[:3]), "executable": sys.executable,
    "implementation": platform.python_implementation(), "bits": struct.calcsize("P") * 8,
    "venv": find_spec("venv") is not None, "ensurepip": find_spec("ensurepip") is not None,
    "machine": platform.machine(), "libc": "-".join(platform.libc_ver()).strip("-"),
}))
`;

/** Long: a machine may be busy, or its disk cold. */
const PATIENCE_MS = 60_000;

export async function probeInterpreter(candidate: Candidate, signal?: AbortSignal): Promise<Probe> {
  const result = await runChild(candidate.program, [...candidate.args, ...ISOLATED, "-c", QUESTION], {
    timeoutMs: PATIENCE_MS,
    signal,
  });
  if (result.spawnError) {
    const reason = result.spawnError.code === "EACCES" ? "not executable" : "not found";
    return { candidate, kind: "absent", reason };
  }
  if (result.timedOut)
    return { candidate, kind: "absent", reason: `did not answer within ${PATIENCE_MS / 1000} s` };
  // 127: a pyenv or asdf shim of a version that is not installed.
  if (result.code === 127) return { candidate, kind: "absent", reason: "not found" };
  for (const line of result.lines) {
    const answer = parseJson(line, interpreter);
    if (answer) return { candidate, kind: "found", interpreter: answer };
  }
  const said = result.lines.find((line) => line.trim() !== "")?.trim() ?? "";
  if (/Unknown option: -I|No module named '?importlib\.util/.test(result.lines.join("\n"))) {
    return { candidate, kind: "ancient", reason: "older than Python 3.4" };
  }
  const ending = result.signal ? `ended with ${result.signal}` : `exit code ${result.code}`;
  return {
    candidate,
    kind: "absent",
    reason: `does not run as Python (${ending}${said ? `: ${said.slice(0, 200)}` : ""})`,
  };
}
