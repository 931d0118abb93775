import { setImmediate as nextTurn } from "node:timers/promises";
import { SAFE_PATH } from "../environment/python-flags.ts";
import { DepthkitError } from "../errors.ts";
import { throwIfCancelled } from "../platform/cancelled.ts";
import { killTree } from "../platform/run-child.ts";
import { bridgeScript } from "./bridge-script.ts";
import type { Python } from "./python.ts";
import { PythonLine } from "./python-line.ts";
import { loadPythonia } from "./pythonia.ts";

/** The script gives Python half a second to end in good order. */
const CLOSE_PATIENCE_MS = 700;
const STDERR_KEPT_CHARACTERS = 4_000;

export interface PythonStart {
  python: string;
  env: NodeJS.ProcessEnv;
  /** Also show what it prints, on this process's standard error. */
  show: boolean;
  /** Aborting ends it at once; calls under way, and all that come, reject with CANCELLED. */
  signal?: AbortSignal | undefined;
}

/** What pythonia offers of Python before anything is imported. */
interface Builtins {
  python<T>(module: string): Promise<T>;
  eval<T>(expression: string, names: Readonly<Record<string, unknown>>): Promise<T>;
  plain(value: unknown): Promise<string>;
}

/**
 * Starts an interpreter that a script may use. It lives in a process group of its own and ends with this
 * process, however this process ends.
 *
 * @throws DepthkitError PYTHON_DIED, CANCELLED
 */
export async function startPython({ python, env, show, signal }: PythonStart): Promise<Python> {
  throwIfCancelled(signal, "Starting Python");
  const { execa } = await import("execa");
  const { Bridge, folder } = loadPythonia();
  const child = execa(python, ["-u", ...SAFE_PATH, "-c", bridgeScript, folder], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: show ? ["pipe", "inherit"] : "pipe",
    buffer: false,
    reject: false,
    env,
    extendEnv: false,
    detached: process.platform !== "win32",
  });
  // A write to a Python that is gone is told by its end, not by the pipe.
  child.stdin.on("error", () => {});
  const kill = () => killTree(child.pid);
  // Also after a good end: what it started may live on, and hold the pipes.
  child.once("exit", kill);
  const line = new PythonLine((text) => child.stdin.write(text));
  const bridge = new Bridge(line);

  const end = (reason: DepthkitError) => {
    bridge.end();
    line.end(reason);
  };
  const stop = (reason: DepthkitError) => {
    end(reason);
    kill();
  };

  let stderr = "";
  const read = async () => {
    for await (const text of child.iterable({ from: "stdout" })) {
      // What Python printed before an answer is in the other pipe by now and is shown in this turn: a script
      // that ends at the answer would lose it.
      await nextTurn();
      try {
        line.receive(text);
      } catch (error) {
        stop(error instanceof DepthkitError ? error : new DepthkitError("INTERNAL", String(error)));
      }
    }
  };
  const keep = async () => {
    for await (const text of child.iterable({ from: "stderr" })) {
      stderr = `${stderr}${text}\n`.slice(-STDERR_KEPT_CHARACTERS);
    }
  };
  const abort = () =>
    stop(new DepthkitError("CANCELLED", "The use of Python was cancelled.", { cause: signal?.reason }));
  signal?.addEventListener("abort", abort, { once: true });
  const gone = Promise.all([child, read(), keep()]).then(([result]) => {
    signal?.removeEventListener("abort", abort);
    end(died(python, result, stderr));
  });

  const close = async () => {
    end(new DepthkitError("CLOSED", "This Python was closed. Open another: await openPython()"));
    child.stdin.end();
    const timer = setTimeout(kill, CLOSE_PATIENCE_MS);
    await gone;
    clearTimeout(timer);
  };
  const builtins = bridge.makePyObject(0) as Builtins;
  try {
    const pid = await builtins.eval<number>("__import__('os').getpid()", {});
    return scriptable(builtins, { pid, close });
  } catch (error) {
    kill();
    await gone;
    throw error;
  }
}

function scriptable(builtins: Builtins, { pid, close }: Pick<Python, "pid" | "close">): Python {
  const use = <T>(first: string | TemplateStringsArray, ...values: readonly unknown[]): Promise<T> =>
    typeof first === "string" ? builtins.python(first) : evaluate(builtins, first, values);
  const value = async (object: unknown): Promise<unknown> => JSON.parse(await builtins.plain(await object));
  return Object.assign(use, { value, pid, close, [Symbol.asyncDispose]: close });
}

/** Values get names, which are global ones: what an expression nests sees no others. */
async function evaluate<T>(
  builtins: Builtins,
  [first = "", ...rest]: TemplateStringsArray,
  values: readonly unknown[],
): Promise<T> {
  const names: Record<string, unknown> = {};
  let expression = first;
  for (const [index, text] of rest.entries()) {
    const name = `__value_${index}`;
    names[name] = (await values[index]) ?? null;
    expression += name + text;
  }
  return builtins.eval(expression.trim(), names);
}

interface Ending {
  exitCode?: number | undefined;
  signal?: string | undefined;
  cause?: unknown;
}

function died(python: string, { exitCode, signal, cause }: Ending, stderr: string): DepthkitError {
  const started = signal !== undefined || exitCode !== undefined;
  const last =
    !started && cause instanceof Error ? cause.message : stderr.trimEnd().split("\n").at(-1)?.trim();
  const ending = started ? `ended with ${signal ?? `exit code ${exitCode}`}` : "could not be started";
  const how = `Python ${ending}${last ? ` (${last})` : ""}`;
  return new DepthkitError("PYTHON_DIED", `${how}. What it held is gone; open another: await openPython()`, {
    ...(cause === undefined ? {} : { cause }),
    details: { python, how, exitCode: exitCode ?? null, signal: signal ?? null, stderr },
  });
}
