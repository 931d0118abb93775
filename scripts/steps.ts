/** Running one program after another, for the scripts beside this file. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

interface StepOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Keep standard output for the result alone. */
  stdoutToStderr?: boolean;
  /** Return the exit code instead of ending this process with it. */
  keepGoing?: boolean;
}

/** Runs a program in the repository's root; where it fails, this process ends with its exit code. */
export function runStep(program: string, args: readonly string[], options: StepOptions = {}): number {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: options.cwd ?? root,
    stdio: ["inherit", options.stdoutToStderr ? 2 : "inherit", "inherit"],
    env: { ...process.env, ...options.env },
  });
  if (error !== undefined) throw error;
  const code = status ?? (signal === "SIGINT" ? 130 : 1);
  if (code !== 0 && !options.keepGoing) process.exit(code);
  return code;
}
