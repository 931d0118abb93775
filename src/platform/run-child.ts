import { execFile } from "node:child_process";

const LINES_KEPT = 200;
const LINES_SHOWN = 12;

export interface ChildOptions {
  env?: NodeJS.ProcessEnv | undefined;
  /** Aborting ends the child and everything it started. */
  signal?: AbortSignal | undefined;
  /** Ends the child likewise; the result then has `timedOut`. */
  timeoutMs?: number | undefined;
  onLine?: ((line: string, stream: OutputStream) => void) | undefined;
}

export type OutputStream = "stdout" | "stderr";

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  /** Set where the program could not be started at all. */
  spawnError?: NodeJS.ErrnoException;
  /** The last lines of both streams, in the order of arrival. */
  lines: string[];
}

/** Runs a program to its end, line by line. Rejects with what `onLine` threw; all else is in the result. */
export async function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  // Loading it takes 100 ms, which a start of the worker that needs no other child would wait for too.
  const { execa } = await import("execa");
  const lines: string[] = [];
  const child = execa(program, args, {
    // The pipe stays open for as long as this process lives: `runModule` goes by it.
    stdin: "pipe",
    buffer: false,
    reject: false,
    env: options.env ?? process.env,
    extendEnv: false,
    // A process group of its own, so that what the child starts can be ended with it: execa's own signal
    // and limit of time would end the child alone.
    detached: process.platform !== "win32",
  });
  const stop = () => killTree(child.pid);
  const read = async (from: OutputStream) => {
    for await (const chunk of child.iterable({ from })) {
      // A carriage return is how a program writes over its line.
      for (const line of chunk.split("\r")) {
        lines.push(line);
        if (lines.length > LINES_KEPT) lines.shift();
        try {
          options.onLine?.(line, from);
        } catch (error) {
          // Leaving the loop waits for the child's end.
          stop();
          throw error;
        }
      }
    }
  };
  const limit = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
  const ends = [options.signal, limit].filter((signal) => signal !== undefined);
  for (const signal of ends) {
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  }
  try {
    const [{ exitCode, signal, cause }] = await Promise.all([child, read("stdout"), read("stderr")]);
    return {
      code: exitCode ?? null,
      signal: signal ?? null,
      timedOut: limit?.aborted ?? false,
      ...(child.pid === undefined && cause instanceof Error ? { spawnError: cause } : {}),
      lines,
    };
  } finally {
    for (const signal of ends) signal.removeEventListener("abort", stop);
  }
}

/** How a child ended, as the end of a sentence. */
export function exitText({ code, signal, spawnError, timedOut }: ChildResult): string {
  if (spawnError) return `it could not be started (${spawnError.message})`;
  if (timedOut) return "it took too long";
  return signal ? `it ended with ${signal}` : `it ended with exit code ${code}`;
}

/** The end of what a program said, as far as an error repeats it. */
export function lastLines(said: readonly string[] | string): string[] {
  const lines = typeof said === "string" ? said.trimEnd().split("\n") : said;
  return lines.slice(-LINES_SHOWN);
}

/** Ends a child that leads its process group, with the whole group. */
export function killTree(pid: number | undefined): void {
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
