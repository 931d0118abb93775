import { type ChildOptions, type ChildResult, runChild } from "../platform/run-child.ts";
import { ISOLATED, SAFE_PATH } from "./python-flags.ts";

/**
 * Runs a Python module as `python -m` would, tied to this process: when Node is killed, the pipe ends and
 * the module goes with everything it started. pip left alone would write on into a folder without an owner.
 */
const LIFELINE = `
import os, runpy, signal, sys, threading
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
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
`;

export interface ModuleOptions extends ChildOptions {
  /** Ignore PYTHON* variables, the user's site-packages and the current folder. On by default. */
  isolated?: boolean;
}

export function runModule(
  python: string,
  args: readonly string[],
  { isolated = true, ...options }: ModuleOptions = {},
): Promise<ChildResult> {
  return runChild(python, [...(isolated ? ISOLATED : SAFE_PATH), "-c", LIFELINE, ...args], options);
}
