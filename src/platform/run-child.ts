import { type ChildProcess, execFile, spawn } from "node:child_process";

const LINES_KEPT = 200;

export interface ChildOptions {
  env?: NodeJS.ProcessEnv | undefined;
  /** Aborting ends the child and everything it started. */
  signal?: AbortSignal | undefined;
  /** Ends the child likewise; the result then has `timedOut`. */
  timeoutMs?: number | undefined;
  onLine?: ((line: string, stream: "stdout" | "stderr") => void) | undefined;
}

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  /** Set where the program could not be started at all. */
  spawnError?: NodeJS.ErrnoException;
  /** The last lines of both streams, in the order of arrival. */
  lines: string[];
}

/** Runs a program to its end, line by line. Never rejects: how it ended is in the result. */
export async function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: options.env ?? process.env,
    // A process group of its own, so that what the child starts can be ended with it.
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  child.stdin.on("error", () => {});
  const lines: string[] = [];
  const keep = (line: string, stream: "stdout" | "stderr") => {
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    options.onLine?.(line, stream);
  };
  splitLines(child, "stdout", keep);
  splitLines(child, "stderr", keep);

  let timedOut = false;
  const stop = () => killTree(child);
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop();
        }, options.timeoutMs);
  if (options.signal?.aborted) stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<ChildResult>((resolve) => {
      child.once("error", (spawnError: NodeJS.ErrnoException) =>
        resolve({ code: null, signal: null, timedOut, spawnError, lines }),
      );
      child.once("close", (code, signal) => resolve({ code, signal, timedOut, lines }));
    });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", stop);
  }
}

/** How a child ended, as the end of a sentence. */
export function exitText({ code, signal, spawnError, timedOut }: ChildResult): string {
  if (spawnError) return `it could not be started (${spawnError.message})`;
  if (timedOut) return "it took too long";
  return signal ? `it ended with ${signal}` : `it ended with exit code ${code}`;
}

/** Ends a child that leads its process group, with the whole group. */
export function killTree(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  if (process.platform === "win32") {
    execFile("taskkill", ["/pid", String(pid), "/t", "/f"], () => {});
    return;
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group is gone already.
  }
}

function splitLines(
  child: ChildProcess,
  stream: "stdout" | "stderr",
  onLine: (line: string, stream: "stdout" | "stderr") => void,
): void {
  let rest = "";
  child[stream]?.setEncoding("utf8");
  child[stream]?.on("data", (text: string) => {
    const parts = (rest + text).split(/\r\n|\n|\r/);
    rest = parts.pop() ?? "";
    for (const part of parts) onLine(part, stream);
  });
  child[stream]?.on("end", () => {
    if (rest !== "") onLine(rest, stream);
  });
}
