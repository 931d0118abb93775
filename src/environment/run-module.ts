import { type ChildOptions, type ChildResult, runChild } from "../platform/run-child.ts";
import { ISOLATED, SAFE_PATH } from "./python-flags.ts";

/**
 * Ties what it runs to this process: when Node is killed, the pipe ends and all goes with everything it
 * started. An installer left alone would write on into a folder without an owner.
 */
const LIFELINE = `
import os, runpy, signal, subprocess, sys, threading
lifeline = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
def watch():
    while os.read(lifeline, 1):
        pass
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
del sys.argv[0]
`;
const MODULE = `${LIFELINE}runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)`;
const PROGRAM = `${LIFELINE}sys.exit(subprocess.call(sys.argv))`;

export interface ModuleOptions extends ChildOptions {
  /** Ignore PYTHON* variables, the user's site-packages and the current folder. On by default. */
  isolated?: boolean;
}

/** Runs a Python module as `python -m` would. */
export function runModule(
  python: string,
  args: readonly string[],
  { isolated = true, ...options }: ModuleOptions = {},
): Promise<ChildResult> {
  return runChild(python, [...(isolated ? ISOLATED : SAFE_PATH), "-c", MODULE, ...args], options);
}

/** Runs a program, which a Python holds the pipe for. */
export function runTied(
  python: string,
  command: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  return runChild(python, [...ISOLATED, "-c", PROGRAM, ...command], options);
}
