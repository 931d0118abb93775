import { DepthkitError } from "../errors.ts";
import { aFlag, aNumberAbove, aText, type Checks, callChecks, checkOptions } from "../options.ts";
import type { WorkerStatus } from "../protocol/worker.ts";
import { type CallOptions, Connection } from "../rpc/connection.ts";
import { connectZeromq } from "../transport/zeromq.ts";
import { type LaunchOptions, launchWorker, type WorkerProcess } from "../worker/launch.ts";
import { type LoadModelOptions, loadModel, type Model } from "./model.ts";

export interface StartOptions extends LaunchOptions {}

const startChecks: Checks<StartOptions> = {
  python: aText,
  verbose: aFlag,
  startTimeoutMs: aNumberAbove(0),
};

const BEAT_INTERVAL_MS = 1_000;
/**
 * A worker silent for this many beats is taken to hang. Long: some C code keeps Python's lock for seconds.
 */
const BEATS_MISSED_AT_MOST = 60;
const HELLO_TIMEOUT_MS = 120_000;

/**
 * A running worker: loads models and closes them. Hold it with `await using`, or call `close()`.
 */
export class Depthkit {
  readonly pid: number;
  readonly pythonVersion: string;
  /** @internal */
  readonly connection: Connection;
  readonly #worker: WorkerProcess;
  readonly #watch: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  private constructor(worker: WorkerProcess, connection: Connection, watch: NodeJS.Timeout, python: string) {
    this.#worker = worker;
    this.connection = connection;
    this.#watch = watch;
    this.pid = worker.pid;
    this.pythonVersion = python;
  }

  /**
   * Starts a worker in the environment that `npx depthkit setup` made, or in that of DEPTHKIT_PYTHON.
   * Returns as soon as it answers; torch is imported meanwhile.
   *
   * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
   * WORKER_START_FAILED, VERSION_MISMATCH, TIMEOUT
   */
  static async start(options: StartOptions = {}): Promise<Depthkit> {
    checkOptions("Depthkit.start", options, startChecks);
    const worker = await launchWorker(options);
    let missed = 0;
    const connection = new Connection(
      (listener) => connectZeromq(worker.endpoint, listener),
      () => {
        missed = 0;
      },
    );
    void worker.exited.then((exit) => {
      clearInterval(watch);
      const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
      const words = worker.stderrTail();
      const details = { exitCode: exit.code, signal: exit.signal, stderr: words };
      const said = words === "" ? "" : ` Its last words:\n${words}`;
      connection.end(new DepthkitError("WORKER_DIED", `The worker ended ${how}.${said}`, { details }));
    });
    // Counted in ticks of our own clock: after a laptop's sleep, one late tick is one missed beat.
    const watch = setInterval(() => {
      missed += 1;
      if (missed <= BEATS_MISSED_AT_MOST) return;
      const silence = `The worker gave no sign of life for ${BEATS_MISSED_AT_MOST} s and was ended.`;
      connection.end(new DepthkitError("WORKER_UNRESPONSIVE", silence));
      worker.kill();
    }, BEAT_INTERVAL_MS);
    watch.unref();
    try {
      const { python } = await connection.hello(worker.token, HELLO_TIMEOUT_MS);
      return new Depthkit(worker, connection, watch, python);
    } catch (error) {
      clearInterval(watch);
      connection.end(new DepthkitError("CLOSED", "The worker did not start."));
      worker.kill();
      await worker.exited;
      throw error;
    }
  }

  /**
   * Loads a model: the bundled `smollm2-135m`, a Hugging Face folder, a `.gguf` file, or a hub id.
   *
   * @throws DepthkitError MODEL_NOT_FOUND, MODEL_UNSUPPORTED, MODEL_INVALID, DEVICE_UNAVAILABLE, NETWORK
   */
  loadModel(source: string, options: LoadModelOptions = {}): Promise<Model> {
    return loadModel(this.connection, source, options);
  }

  /** What the worker holds and does, and the memory it takes. Answered at once, whatever it is at. */
  async status(options: CallOptions = {}): Promise<WorkerStatus> {
    checkOptions("worker.status", options, callChecks);
    return (await this.connection.call("worker.status", {}, options)).result;
  }

  /** Rejects what is under way with CLOSED, ends the worker and waits until it has gone. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      clearInterval(this.#watch);
      this.connection.end(new DepthkitError("CLOSED", "The worker was closed."));
      await this.#worker.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
