import type { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import { aFlag, aNumberAbove, aSignal, aText, type Checks, callChecks, checkOptions } from "../options.ts";
import type { targetOptions, WorkerStatus } from "../protocol/worker.ts";
import type { CallOptions, Connection } from "../rpc/connection.ts";
import type { LaunchOptions } from "../worker/launch.ts";
import type { FetchedFolder } from "./fetch.ts";
import type { LoadModelOptions, Model } from "./model.ts";
import type { ConnectOptions } from "./remote-line.ts";
import type { WorkerLine } from "./worker-line.ts";

export interface StartOptions extends LaunchOptions {}

export interface CheckTargetOptions extends CallOptions, z.input<typeof targetOptions> {}

const startChecks: Checks<StartOptions> = {
  python: aText,
  verbose: aFlag,
  startTimeoutMs: aNumberAbove(0),
  signal: aSignal,
};

/**
 * A running worker: loads models and closes them. Hold it with `await using`, or call `close()`.
 */
export class Depthkit {
  readonly pid: number;
  readonly pythonVersion: string;
  /** @internal */
  readonly connection: Connection;
  readonly #close: () => Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor({ pid, connection, python, close }: WorkerLine) {
    this.#close = close;
    this.connection = connection;
    this.pid = pid;
    this.pythonVersion = python;
  }

  /**
   * Starts a worker in the environment that `npx depthkit setup` made, or in that of DEPTHKIT_PYTHON.
   * Returns as soon as it answers; torch is imported meanwhile.
   *
   * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
   * WORKER_START_FAILED, VERSION_MISMATCH, CONNECTION_LOST, TIMEOUT, CANCELLED
   */
  static async start(options: StartOptions = {}): Promise<Depthkit> {
    checkOptions("Depthkit.start", options, startChecks);
    // The schemas and ZeroMQ, which a program that starts no worker does not wait for.
    const { openWorkerLine } = await import("./worker-line.ts");
    return new Depthkit(await openWorkerLine(options));
  }

  /**
   * Opens a session on a worker of another machine, which listens there: `depthkit worker --listen`
   * (docs/remote.md). Paths in calls are then that machine's. A lost link is made anew, and calls go on.
   *
   * @throws DepthkitError INVALID_ARGUMENT, FILE_NOT_FOUND (the key file), KEY_REFUSED, WORKER_BUSY,
   * CONNECTION_LOST, VERSION_MISMATCH, TIMEOUT
   */
  static async connect(url: string, options: ConnectOptions): Promise<Depthkit> {
    const { openRemoteLine } = await import("./remote-line.ts");
    return new Depthkit(await openRemoteLine(url, options));
  }

  /**
   * Fetches what an export or a saved subnetwork wrote to `folder`, a folder of the worker's machine, into the
   * folder `target` of this one: whole or not at all, checked by sha256. Called again after a failure, it goes
   * on from what had come.
   *
   * @throws DepthkitError INVALID_ARGUMENT where this worker wrote nothing to `folder`, TARGET_NOT_EMPTY,
   * DISK_FULL, CONNECTION_LOST, CANCELLED
   */
  async fetch(folder: string, target: string, options: CallOptions = {}): Promise<FetchedFolder> {
    const { fetchFolder } = await import("./fetch.ts");
    return fetchFolder(this.connection, folder, target, options);
  }

  /**
   * Loads a model: the bundled `smollm2-135m`, a Hugging Face folder, a `.gguf` file, or a hub id.
   *
   * @throws DepthkitError MODEL_NOT_FOUND, MODEL_UNSUPPORTED, MODEL_INVALID, DEVICE_UNAVAILABLE, NETWORK
   */
  async loadModel(source: string, options: LoadModelOptions = {}): Promise<Model> {
    const { loadModel } = await import("./model.ts");
    return loadModel(this.connection, source, options);
  }

  /**
   * Refuses now the folder that an export (`kind: "export"`), a saved repair (`"repair"`) or files that are
   * added to it (`"files"`) would be refused at their end: it is a file, may not be written to, or holds what
   * may not be replaced. Makes nothing.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, INVALID_ARGUMENT
   */
  async checkTarget(folder: string, options: CheckTargetOptions): Promise<void> {
    const target = pathFor(this.connection, folder);
    await this.connection.request("worker.checkTarget", { target }, options);
  }

  /** What the worker holds and does, and the memory it takes. Answered at once, whatever it is at. */
  async status(options: CallOptions = {}): Promise<WorkerStatus> {
    checkOptions("worker.status", options, callChecks);
    return (await this.connection.call("worker.status", {}, options)).result;
  }

  /**
   * Rejects what is under way with CLOSED, ends the worker and waits until it has gone. A remote one forgets
   * what it held for this session, and is free for the next.
   */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.connection.end(new DepthkitError("CLOSED", "The worker was closed."));
      await this.#close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
