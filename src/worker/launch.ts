import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { onnxEnvironmentFolder } from "../environment/onnx-environment.ts";
import { SAFE_PATH } from "../environment/python-flags.ts";
import { resolveWorkerPython, workerModules } from "../environment/worker-python.ts";
import { DepthkitError } from "../errors.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { cancelled, throwIfCancelled } from "../platform/cancelled.ts";
import { parseJson } from "../platform/json.ts";
import { lastLines } from "../platform/run-child.ts";
import { type ClusterOptions, clusterFlags } from "./cluster.ts";
import { explainStartFailure } from "./start-failure.ts";

const STDERR_KEPT_CHARACTERS = 64_000;
/**
 * For glibc. Work runs beside the thread that answers; a heap of its own would be made of pieces of 64 MB,
 * where what training frees is not found again: a third more memory at the peak.
 */
const ONE_HEAP = { MALLOC_ARENA_MAX: "1" };
/** Long: it takes a quarter of a second where nothing else runs. */
const START_TIMEOUT_MS = 120_000;
/** How long a worker may take to tidy up before it is killed; it gives a running call two seconds. */
const CLOSE_PATIENCE_MS = 3_000;
/**
 * From a worker's end to that of its pipes, where nothing else holds them: what it said last takes that long.
 */
const LAST_WORDS_MS = 200;
const IPC = "ipc://";

export interface LaunchOptions extends ClusterOptions {
  /** An interpreter of the caller's own, in place of the managed environment and DEPTHKIT_PYTHON. */
  python?: string;
  /** Also print what the worker writes to its standard error. */
  verbose?: boolean;
  /** How long the worker may take until it listens, in milliseconds; 120,000 by default. */
  startTimeoutMs?: number;
  /** Aborting ends a worker that is being started; one that has started is ended by `close()`. */
  signal?: AbortSignal | undefined;
}

/** Where a worker listens for clients on other machines, and what it needs for that. */
export interface ListenArguments {
  /** `tcp://host:port`. */
  endpoint: string;
  /** Its key file, read again at each handshake. */
  keys: string;
  keepSeconds: number;
}

/** How a worker process ended: one of the two is set. */
export interface WorkerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface WorkerProcess {
  readonly pid: number;
  readonly endpoint: string;
  /** The secret that opens the endpoint. */
  readonly token: string;
  /** Settles when the process has ended, whoever ended it. */
  readonly exited: Promise<WorkerExit>;
  /** The last lines the worker wrote to its standard error. */
  stderrTail(): string;
  /** Ends the worker in good order, by force where it does not obey. */
  close(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

/**
 * Starts a worker and waits until it listens. `onStderr` hears each line of its standard error.
 *
 * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
 * WORKER_START_FAILED, TIMEOUT
 */
export async function launchWorker(
  options: LaunchOptions = {},
  listen?: ListenArguments,
  onStderr?: (line: string) => void,
): Promise<WorkerProcess> {
  const { python, env } = await resolveWorkerPython(options.python);
  throwIfCancelled(options.signal, "Starting the worker");
  const token = randomBytes(16).toString("hex");
  const flags = [...asFlags(listen), ...clusterFlags(options)];
  // Node's own spawn: loading execa would add 100 ms to every start, and its result at the end is no use
  // here, where the first line of output decides and the worker lives by the pipe to its standard input.
  const child = spawn(python, [...SAFE_PATH, "-m", "depthkit_worker", ...flags], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...ONE_HEAP,
      ...process.env,
      ...env,
      PYTHONPATH: workerModules(env["PYTHONPATH"]),
      DEPTHKIT_TOKEN: token,
      DEPTHKIT_CACHE_FOLDER: cacheFolder(),
      DEPTHKIT_ONNX_ENVIRONMENT: onnxEnvironmentFolder(),
    },
    windowsHide: true,
  });
  let stderr = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT_CHARACTERS);
    if (options.verbose) process.stderr.write(text);
  });
  if (onStderr !== undefined) createInterface({ input: child.stderr }).on("line", onStderr);
  const exited = new Promise<WorkerExit>((resolve) => {
    // "close" comes after the pipes have ended, so that the last words are in `stderr` by then. What the
    // worker started may hold the pipes for as long as it lives, so not for long after the "exit".
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("exit", (code, signal) => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, signal });
      }, LAST_WORDS_MS).unref();
    });
    child.once("error", () => resolve({ code: null, signal: null }));
  });
  // A write to a worker that is gone is reported by its exit, not by the pipe.
  child.stdin.on("error", () => {});

  const stderrTail = () => lastLines(stderr).join("\n");
  const kill = () => void child.kill("SIGKILL");
  try {
    const { endpoint, pid } = await readyLine(child, options.startTimeoutMs ?? START_TIMEOUT_MS, exited, {
      python,
      stderrTail,
      signal: options.signal,
    });
    const close = async () => {
      child.stdin.end();
      const timer = setTimeout(kill, CLOSE_PATIENCE_MS);
      await exited;
      clearTimeout(timer);
    };
    // The worker removes it as soon as someone spoke to it, or at a good end.
    const gone = exited.then(async (exit) => {
      if (endpoint.startsWith(IPC)) {
        await rm(dirname(endpoint.slice(IPC.length)), { recursive: true, force: true });
      }
      return exit;
    });
    return { pid, endpoint, token, exited: gone, stderrTail, close, kill };
  } catch (error) {
    kill();
    throw error;
  }
}

function asFlags(listen: ListenArguments | undefined): string[] {
  if (listen === undefined) return [];
  const { endpoint, keys, keepSeconds } = listen;
  return ["--listen", endpoint, "--keys", keys, "--keep", String(keepSeconds)];
}

/** The worker's first line of output. */
const ready = z.object({ endpoint: z.string(), pid: z.int() });

async function readyLine(
  child: ChildProcess,
  timeoutMs: number,
  exited: Promise<WorkerExit>,
  about: { python: string; stderrTail: () => string; signal: AbortSignal | undefined },
): Promise<z.infer<typeof ready>> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  try {
    const line = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout?.setEncoding("utf8");
      const read = (part: string) => {
        text += part;
        const end = text.indexOf("\n");
        if (end < 0) return;
        resolve(text.slice(0, end));
        // What comes after it is nobody's, and must not fill the pipe.
        child.stdout?.off("data", read).resume();
      };
      child.stdout?.on("data", read);
      const fail = async (exit: Partial<WorkerExit>, spawnError?: Error) =>
        reject(
          await explainStartFailure({
            python: about.python,
            exitCode: exit.code ?? null,
            signal: exit.signal ?? null,
            stderr: about.stderrTail(),
            ...(spawnError === undefined ? {} : { spawnError }),
          }),
        );
      abort = () => reject(cancelled("Starting the worker"));
      about.signal?.addEventListener("abort", abort);
      child.once("error", (error) => void fail({}, error));
      void exited.then((exit) => fail(exit));
      timer = setTimeout(
        () =>
          reject(
            new DepthkitError(
              "TIMEOUT",
              `The worker did not listen within ${timeoutMs / 1000} s of its start (${about.python}). ` +
                about.stderrTail(),
            ),
          ),
        timeoutMs,
      );
    });
    const address = parseJson(line, ready);
    if (address) return address;
    throw new DepthkitError(
      "WORKER_START_FAILED",
      `Starting the worker with ${about.python}: its first line of output is not where it listens but ` +
        `${JSON.stringify(line.slice(0, 200))}. Find out what of that Python prints it (a sitecustomize ` +
        `module?).`,
      { details: { python: about.python, line } },
    );
  } finally {
    clearTimeout(timer);
    if (abort !== undefined) about.signal?.removeEventListener("abort", abort);
  }
}
