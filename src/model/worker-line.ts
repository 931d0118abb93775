import { setTimeout as pause } from "node:timers/promises";
import { DepthkitError } from "../errors.ts";
import { cancelled, throwIfCancelled } from "../platform/cancelled.ts";
import { Connection } from "../rpc/connection.ts";
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

/** A worker with the connection to it. */
export interface WorkerLine {
  readonly pid: number;
  readonly connection: Connection;
  /** The version of the worker's Python. */
  readonly python: string;
  /** Waits until the worker is done with us, after the connection was ended: one of this machine ends too. */
  close(): Promise<void>;
}

/**
 * Starts a worker and says hello to it.
 *
 * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
 * WORKER_START_FAILED, VERSION_MISMATCH, CONNECTION_LOST, TIMEOUT
 */
export async function openWorkerLine(options: LaunchOptions): Promise<WorkerLine> {
  const worker = await launchWorker(options);
  const watch = new BeatWatch(worker, (reason) => {
    connection.end(reason);
    worker.kill();
  });
  const connection = new Connection(
    ({ onMessage, onFailure }) =>
      connectZeromq(worker.endpoint, {
        onMessage,
        onFailure: async (error) => {
          await Promise.race([worker.exited, pause(END_FOLLOWS_MS, undefined, { ref: false })]);
          onFailure(error);
          worker.kill(); // nobody can reach it any more
        },
      }),
    () => watch.beat(),
  );
  void worker.exited.then(({ code, signal }) => {
    watch.stop();
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const words = worker.stderrTail();
    const said = words === "" ? "" : ` Its last words:\n${words}`;
    const details = { exitCode: code, signal, stderr: words };
    connection.end(new DepthkitError("WORKER_DIED", `The worker ended ${how}.${said}`, { details }));
  });
  const abort = () => connection.end(cancelled("Starting the worker"));
  options.signal?.addEventListener("abort", abort);
  try {
    throwIfCancelled(options.signal, "Starting the worker");
    const { python } = await connection.hello(worker.token, HELLO_TIMEOUT_MS);
    return { pid: worker.pid, connection, python, close: worker.close };
  } catch (error) {
    connection.end(new DepthkitError("CLOSED", "The worker did not start."));
    worker.kill();
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
