import type { z } from "zod";
import { pathFor } from "../evaluation/paths.ts";
import {
  aFlag,
  aNumberAbove,
  anyOf,
  aSignal,
  aText,
  aWhole,
  type Checks,
  checkOptions,
  listOf,
  objectOf,
  refuse,
  required,
} from "../options.ts";
import type { WorkerEnvironment } from "../protocol/environment.ts";
import type { RuntimeCheck } from "../protocol/export-check.ts";
import type { HubPush } from "../protocol/hub.ts";
import type { Device } from "../protocol/model.ts";
import type { targetOptions, WorkerStatus } from "../protocol/worker.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { teller, type WorkerEnd } from "../rpc/events.ts";
import type { Executor } from "../rpc/executor.ts";
import type { RestartLimit } from "../rpc/member.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import type { Workers } from "../rpc/workers.ts";
import { type ClusterOptions, checkClusterOptions, clusterChecks } from "../worker/cluster.ts";
import type { LaunchOptions } from "../worker/launch.ts";
import type { CheckExportOptions } from "./check-export.ts";
import type { FetchedFolder } from "./fetch.ts";
import { type KitOptions, kitChecks } from "./kit-options.ts";
import type { LoadModelOptions, Model } from "./model.ts";
import type { PushOptions } from "./push.ts";
import type { ConnectOptions } from "./remote-line.ts";

/** What `Depthkit.start` takes. */
export interface StartOptions extends LaunchOptions, KitOptions {
  /**
   * `on-crash`: a new worker is started where one crashes. What handles name is made there again when a call
   * needs it, and calls that were under way are asked again (docs/embedding.md). Default `never`.
   */
  restart?: "never" | "on-crash" | undefined;
  /**
   * So many crashes within so many seconds, and it is given up. Default 3 within 60. With `restart` only.
   */
  restartLimit?: RestartLimit | undefined;
}

/** What `Depthkit.pool` takes. */
export interface PoolOptions extends Omit<StartOptions, keyof ClusterOptions> {
  /**
   * A worker for each, which loads its models there. Devices of one kind: a call may be answered by any of
   * them.
   */
  devices: readonly Device[];
}

export interface CheckTargetOptions extends CallOptions, z.input<typeof targetOptions> {}

/** Long enough for a model that is loaded in between. */
const RESTART_LIMIT: RestartLimit = { crashes: 3, seconds: 60 };

const launchChecks: Checks<Omit<StartOptions, keyof ClusterOptions>> = {
  ...kitChecks,
  python: aText,
  verbose: aFlag,
  startTimeoutMs: aNumberAbove(0),
  signal: aSignal,
  restart: anyOf("never", "on-crash"),
  restartLimit: objectOf({ crashes: required(aWhole(1)), seconds: required(aNumberAbove(0)) }),
};
const poolChecks: Checks<PoolOptions> = { ...launchChecks, devices: required(listOf(aText, 1)) };
const startChecks: Checks<StartOptions> = { ...launchChecks, ...clusterChecks };

/** One worker of a kit. */
export interface KitWorker {
  readonly pid: number;
  /** In a pool, where its models are. */
  readonly device: string | null;
  /** Calls that are under way there. */
  readonly calls: number;
}

/**
 * A running worker, or several: loads models and closes them. Hold it with `await using`, or call `close()`.
 */
export class Depthkit {
  readonly pythonVersion: string;
  /** Settles when the kit has ended, and never rejects: it was closed, or its worker crashed for good. */
  readonly exited: Promise<WorkerEnd>;
  /** @internal */
  readonly connection: Executor;
  readonly #workers: Workers;

  private constructor(workers: Workers) {
    this.#workers = workers;
    this.connection = workers;
    this.exited = workers.exited;
    this.pythonVersion = workers.members[0]?.line.python ?? "";
  }

  /**
   * Starts a worker in the environment that `npx depthkit setup` made, or in that of DEPTHKIT_PYTHON.
   * Returns as soon as it answers; torch is imported meanwhile. With `cluster` Ray is started or joined
   * meanwhile too, and the first model that is loaded says where that fails.
   *
   * @throws DepthkitError ENVIRONMENT_MISSING, PYTHON_NOT_FOUND, PYTHON_TOO_OLD, MODULE_MISSING,
   * WORKER_START_FAILED, VERSION_MISMATCH, CONNECTION_LOST, TIMEOUT, CANCELLED
   */
  static async start(options: StartOptions = {}): Promise<Depthkit> {
    checkOptions("Depthkit.start", options, startChecks);
    checkClusterOptions("Depthkit.start", options);
    return new Depthkit(await startWorkers("Depthkit.start", options, [opening(options)]));
  }

  /**
   * Starts a worker for each device, as one kit: models are loaded in all of them, and each call goes to the
   * least busy. Where one crashes, the others do its calls.
   *
   * @throws DepthkitError what `start` throws
   */
  static async pool(options: PoolOptions): Promise<Depthkit> {
    checkOptions("Depthkit.pool", options, poolChecks);
    const open = opening(options);
    const places = options.devices.map((device) => async (signal?: AbortSignal) => ({
      ...(await open(signal)),
      device,
    }));
    return new Depthkit(await startWorkers("Depthkit.pool", options, places));
  }

  /** The process of the worker; in a pool, of the first. After a restart it is another one. */
  get pid(): number {
    return this.workers[0]?.pid ?? 0;
  }

  /** All workers of the kit, as they are now. */
  get workers(): readonly KitWorker[] {
    return this.#workers.members.map(({ line: { pid, device }, busy }) => ({
      pid,
      device: device ?? null,
      calls: busy,
    }));
  }

  /**
   * Opens a session on a worker of another machine, which listens there: `depthkit worker --listen`
   * (docs/remote.md). Paths in calls are then that machine's. A lost link is made anew, and calls go on.
   *
   * @throws DepthkitError INVALID_ARGUMENT, FILE_NOT_FOUND (the key file), KEY_REFUSED, WORKER_BUSY,
   * CONNECTION_LOST, VERSION_MISMATCH, TIMEOUT
   */
  static async connect(url: string, options: ConnectOptions): Promise<Depthkit> {
    const { remoteOpening } = await import("./remote-line.ts");
    const open = remoteOpening(url, options);
    return new Depthkit(await startWorkers("Depthkit.connect", options, [open]));
  }

  /**
   * Fetches what an export or a saved subnetwork wrote to `folder`, a folder of the worker's machine, into
   * the folder `target` of this one: whole or not at all, checked by sha256. Called again after a failure, it
   * goes on from what had come.
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
   * Refuses now what an export (`kind: "export"`, or `"gguf"` for a file), a saved repair (`"repair"`) or
   * files that are added to a folder (`"files"`) would be refused for at their end: the target is a file, may
   * not be written to, or holds what may not be replaced. Makes nothing.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, INVALID_ARGUMENT
   */
  async checkTarget(folder: string, options: CheckTargetOptions): Promise<void> {
    const target = pathFor(this.connection, folder);
    await this.connection.request("worker.checkTarget", { target }, options);
  }

  /**
   * Loads an exported folder or GGUF file in the software that it is for and compares its answers with those
   * that the export kept in it (docs/gguf.md). That is stock transformers in a process of its own, llama.cpp,
   * or for ONNX graphs onnxruntime, or with `runtime` transformers.js (docs/onnx.md).
   *
   * @throws DepthkitError FILE_NOT_FOUND, MODULE_MISSING, MODEL_INVALID, INVALID_ARGUMENT, NOT_MEASURABLE,
   * CANCELLED
   */
  async checkExport(path: string, options: CheckExportOptions = {}): Promise<RuntimeCheck> {
    const { checkPath } = await import("./check-export.ts");
    return checkPath(this.connection, path, options);
  }

  /**
   * Puts an exported folder, or a GGUF file that depthkit wrote, on the Hugging Face hub as one commit of the
   * repository `repo`, OWNER/NAME, which is made where there is none. The token is that of `hf auth login`,
   * or HF_TOKEN; HF_ENDPOINT names another hub. A branch that holds files is replaced with `overwrite` only
   * (docs/export.md). Corpora and tasks that are loaded meanwhile wait: take a kit of its own where that
   * matters.
   *
   * @throws DepthkitError FILE_NOT_FOUND, INVALID_ARGUMENT, MODEL_INVALID where the export is not whole,
   * TARGET_NOT_EMPTY, HUB_REFUSED, NETWORK, CANCELLED
   */
  async push(path: string, repo: string, options: PushOptions = {}): Promise<HubPush> {
    const { pushExport } = await import("./push.ts");
    return pushExport(this.connection, path, repo, options);
  }

  /**
   * What a worker holds and does, and the memory it takes. Answered at once, whatever it is at. `worker`: its
   * place among the kit's workers, 0 by default.
   */
  async status(options: CallOptions & { worker?: number | undefined } = {}): Promise<WorkerStatus> {
    const last = this.#workers.members.length - 1;
    checkOptions("worker.status", options, { ...workerCallChecks, worker: aWhole(0, last) });
    const { worker = 0, ...call } = options;
    return (await this.#workers.callOne(worker, "worker.status", call)).result;
  }

  /** With what the worker works: versions of Python and its packages, the machine, its accelerators. */
  async environment(options: CallOptions = {}): Promise<WorkerEnvironment> {
    checkOptions("environment.read", options, workerCallChecks);
    return (await this.connection.call("environment.read", {}, options)).result;
  }

  /**
   * Rejects what is under way with CLOSED, ends the workers and waits until they have gone. A remote one
   * forgets what it held for this session, and is free for the next.
   */
  close(): Promise<void> {
    return this.connection.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What a worker writes to its standard error, the logger gets by the line. */
const opening = (options: StartOptions) => async (signal?: AbortSignal) => {
  // The schemas and ZeroMQ, which a program that starts no worker does not wait for.
  const { openWorkerLine } = await import("./worker-line.ts");
  return openWorkerLine({ ...options, signal }, (line) => {
    if (line.trim() !== "") options.logger?.debug({ type: "stderr" }, line);
  });
};

async function startWorkers(
  call: string,
  { restart, restartLimit, timeoutMs, onEvent, logger, signal }: StartOptions,
  places: Parameters<typeof Workers.start>[0]["places"],
): Promise<Workers> {
  if (restartLimit !== undefined && restart !== "on-crash") {
    const words = 'it does nothing without restart: "on-crash".';
    refuse(call, [{ path: "restartLimit", words }]);
  }
  const { Workers } = await import("../rpc/workers.ts");
  return Workers.start({
    places,
    restart: restart === "on-crash" ? (restartLimit ?? RESTART_LIMIT) : undefined,
    timeoutMs,
    signal,
    tell: teller({ onEvent, logger }),
  });
}
