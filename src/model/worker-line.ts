import { setTimeout as pause } from "node:timers/promises";
import { DepthkitError } from "../errors.ts";
import { cancelled, throwIfCancelled } from "../platform/cancelled.ts";
import { Connection } from "../rpc/connection.ts";
import type { WorkerEnd } from "../rpc/events.ts";
import type { Line } from "../rpc/line.ts";
import { connectZeromq } from "../transport/zeromq.ts";
import { type LaunchOptions, launchWorker, type WorkerProcess } from "../worker/launch.ts";
import { usedProcessorSeconds } from "../worker/used-processor.ts";

const BEAT_INTERVAL_MS = 1_000;
/** Beats missed until it is looked at what the worker does, and again until it is taken to hang. */
const PATIENCE_BEATS = 30;
/** The share of a processor that shows work: waiting for Python's lock takes a hundredth. */
const WORKING_SHARE = 0.1;
const HELLO_TIMEOUT_MS = 120_000;
/** A worker that dies closes its connection a moment before its end is known, which says more. */
const END_FOLLOWS_MS = 300;

/**
 * Starts a worker and says hello to it.
 *
 * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
 * WORKER_START_FAILED, VERSION_MISMATCH, CONNECTION_LOST, TIMEOUT
 */
export async function openWorkerLine(
  options: LaunchOptions,
  onStderr?: (line: string) => void,
): Promise<Line> {
  const worker = await launchWorker(options, undefined, onStderr);
  const watch = new BeatWatch(worker, (reason) => connection.end(reason));
  let closing = false;
  const connection = new Connection(
    ({ onMessage, onFailure }) => {
      const { send, close } = connectZeromq(worker.endpoint, {
        onMessage,
        onFailure: async (error) => {
          await Promise.race([worker.exited, pause(END_FOLLOWS_MS, undefined, { ref: false })]);
          onFailure(error);
        },
      });
      const end = () => {
        close();
        if (!closing) worker.kill(); // nobody can reach it any more
      };
      return { send, close: end };
    },
    () => watch.beat(),
  );
  const ended = worker.exited.then(({ code: exitCode, signal }): WorkerEnd => {
    watch.stop();
    const how = signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
    const stderr = worker.stderrTail();
    const said = stderr === "" ? "" : ` Its last words:\n${stderr}`;
    const details = { exitCode, signal, stderr };
    const died = new DepthkitError("WORKER_DIED", `The worker ended ${how}.${said}`, { details });
    connection.end(died);
    const error = connection.ended ?? died; // where something else was the end of it
    return error.is("CLOSED")
      ? { how: "closed", ...details, error: null }
      : { how: "crashed", ...details, error };
  });
  const close = async () => {
    closing = true;
    connection.end(new DepthkitError("CLOSED", "The worker was closed."));
    await worker.close();
  };
  const abort = () => connection.end(cancelled("Starting the worker"));
  options.signal?.addEventListener("abort", abort);
  try {
    throwIfCancelled(options.signal, "Starting the worker");
    const { python } = await connection.hello(worker.token, HELLO_TIMEOUT_MS);
    return { connection, pid: worker.pid, python, ended, close };
  } catch (error) {
    connection.end(new DepthkitError("CLOSED", "The worker did not start."));
    await worker.exited;
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
}

/**
 * Looks for signs of life. A missed beat alone is none of death: some C code keeps Python's lock for minutes
 * (one long text through a tokeniser, one long line of JSON), and then uses the processor.
 */
class BeatWatch {
  readonly #timer: NodeJS.Timeout;
  #missed = 0;
  #usedBefore: number | undefined;

  constructor(worker: WorkerProcess, onSilence: (reason: DepthkitError) => void) {
    // Counted in ticks of our own clock: after a laptop's sleep, one late tick is one missed beat.
    this.#timer = setInterval(() => {
      this.#missed += 1;
      if (this.#missed % PATIENCE_BEATS === 0) void this.#look(worker, onSilence);
    }, BEAT_INTERVAL_MS);
    this.#timer.unref();
  }

  beat(): void {
    this.#missed = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(worker: WorkerProcess, onSilence: (reason: DepthkitError) => void): Promise<void> {
    const missed = this.#missed;
    const before = this.#usedBefore ?? 0;
    const used = await usedProcessorSeconds(worker.pid);
    this.#usedBefore = used;
    if (missed === PATIENCE_BEATS || this.#missed === 0) return; // the first look, or it spoke meanwhile
    if (used !== undefined && used - before > PATIENCE_BEATS * WORKING_SHARE) return;
    this.stop();
    const silence = `The worker gave no sign of life for ${missed} s, did nothing meanwhile, and was ended.`;
    onSilence(new DepthkitError("WORKER_UNRESPONSIVE", silence));
  }
}
