import { z } from "zod";
import { DepthkitError, type ErrorCode, isErrorCode } from "../errors.ts";
import type { Progress } from "../progress.ts";
import { decode, encode } from "../protocol/codec.ts";
import { progress } from "../protocol/common.ts";
import {
  type ErrorReply,
  hello,
  parseReply,
  type Reply,
  type Request,
  type Welcome,
} from "../protocol/envelope.ts";
import { type MethodName, methods, type Params, type Part, type Result } from "../protocol/methods.ts";
import { fromFrame, type Tensor, type TensorRef, toFrame } from "../protocol/tensor.ts";
import type { Transport, TransportListener } from "../transport/transport.ts";
import type { CallOptions } from "./call-options.ts";
import { parseParams } from "./parse-params.ts";

export interface Answer<M extends MethodName> {
  result: Result<M>;
  /** The array a reference in the result stands for. */
  tensor(reference: TensorRef): Tensor;
}

export interface CallRequest<M extends MethodName> extends CallOptions {
  tensors?: readonly Tensor[] | undefined;
  /** Called for what a method sends before its result, as it comes. */
  onPart?: ((part: Part<M>, tensor: Answer<M>["tensor"]) => void) | undefined;
  /**
   * What to ask instead after a crash, for a call that goes on from the parts that came: some of its params,
   * and its tensors.
   */
  again?: (() => { params: Partial<Params<M>>; tensors: readonly Tensor[] }) | undefined;
}

/** A body and the frames it refers to, not yet checked against a schema. */
interface Body {
  p: unknown;
  tensors: Tensor[];
}

interface Listeners extends Pick<CallOptions, "signal" | "onProgress"> {
  onBody?: (body: Body) => void;
}

interface Pending {
  what: string;
  resolve(reply: Body): void;
  reject(error: unknown): void;
  onBody: ((body: Body) => void) | undefined;
  onProgress: ((progress: Progress) => void) | undefined;
}

/**
 * Calls to one worker: matches answers to calls, forwards progress and cancels. Every call settles:
 * with its answer, its error, or the reason the connection ended.
 */
export class Connection {
  readonly #transport: Transport;
  readonly remote: string | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #onBeat: () => void;
  #lastId = 0;
  #ended: DepthkitError | undefined;
  #largestFrameBytes = Number.POSITIVE_INFINITY;

  /** `remote`: where the worker is, where that is another machine, whose paths are not ours. */
  constructor(
    connect: (listener: TransportListener) => Transport,
    onBeat: () => void = () => {},
    remote?: string,
  ) {
    this.#onBeat = onBeat;
    this.remote = remote;
    this.#transport = connect({
      onMessage: (frames) => this.#receive(frames),
      onFailure: (error) =>
        this.end(
          error instanceof DepthkitError
            ? error
            : new DepthkitError("CONNECTION_LOST", `The connection to the worker broke: ${error.message}.`, {
                cause: error,
              }),
        ),
    });
  }

  /** Opens the conversation; VERSION_MISMATCH where the two sides speak different contracts. */
  async hello(token: string, timeoutMs: number): Promise<Welcome> {
    const greeting = this.#request("hello", (id) => ({ t: "hello", id, p: hello(token) }), [], {});
    const timer = setTimeout(
      () => this.end(new DepthkitError("TIMEOUT", `The worker did not answer hello within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    try {
      const welcome = (await greeting).p as Welcome;
      this.#largestFrameBytes = welcome.largestFrameBytes;
      return welcome;
    } finally {
      clearTimeout(timer);
    }
  }

  async call<M extends MethodName>(
    method: M,
    params: Params<M>,
    options: Omit<CallRequest<M>, "timeoutMs" | "again"> = {},
  ): Promise<Answer<M>> {
    const schema = methods[method];
    const parsed = parseParams(method, schema.params as z.ZodType, params);
    const tensors = options.tensors ?? [];
    const headers = tensors.map(({ dtype, shape }) => ({ d: dtype, s: shape }));
    const { onPart } = options;
    const listeners: Listeners = { signal: options.signal, onProgress: options.onProgress };
    if (onPart !== undefined && "part" in schema) {
      const { part } = schema;
      listeners.onBody = (body) => onPart(checked(method, part, body) as Part<M>, tensorOf(method, body));
    }
    const message = (id: number): Request => ({ t: "req", id, m: method, p: parsed, b: headers });
    const reply = await this.#request(method, message, tensors.map(toFrame), listeners);
    // The table pairs each method with its result; TypeScript cannot follow that through the lookup.
    const result = checked(method, schema.result, reply) as Result<M>;
    return { result, tensor: tensorOf(method, reply) };
  }

  /** Why no call is answered any more; undefined while they are. */
  get ended(): DepthkitError | undefined {
    return this.#ended;
  }

  /** Rejects every pending and every later call with `reason`. The first reason stays. */
  end(reason: DepthkitError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#transport.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { what, reject } of pending) {
      // An error of its own for each call: its stack and its method are then those of the call.
      reject(
        new DepthkitError(reason.code, `${what}: ${reason.message}`, {
          cause: reason,
          details: reason.details,
        }),
      );
    }
  }

  #request(
    what: string,
    message: (id: number) => Request,
    frames: Uint8Array[],
    { signal, onProgress, onBody }: Listeners,
  ): Promise<Body> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(cancelled(what, signal));
    this.#lastId += 1;
    const id = this.#lastId;
    const sent = [encode(message(id)), ...frames];
    const largest = Math.max(...sent.map(({ byteLength }) => byteLength));
    if (largest > this.#largestFrameBytes) {
      return Promise.reject(tooLarge(what, largest, this.#largestFrameBytes));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (!this.#pending.delete(id)) return;
        this.#transport.send([encode({ t: "cancel", id } satisfies Request)]);
        reject(cancelled(what, signal));
      };
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", onAbort);
          how(value);
        };
      this.#pending.set(id, { what, resolve: settle(resolve), reject: settle(reject), onProgress, onBody });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#transport.send(sent);
    });
  }

  /** A listener that throws fails its own call, and no other. */
  #tell(id: number, { reject }: Pending, listener: () => void): void {
    try {
      listener();
    } catch (error) {
      if (!this.#pending.delete(id)) return;
      this.#transport.send([encode({ t: "cancel", id } satisfies Request)]);
      reject(error);
    }
  }

  #receive(frames: Uint8Array[]): void {
    try {
      const [envelope, ...tensorFrames] = frames;
      if (envelope === undefined) return;
      this.#dispatch(parseReply(decode(envelope)), tensorFrames);
    } catch (error) {
      // A message that cannot be read leaves some call without an answer: better none than a hang.
      this.end(
        error instanceof DepthkitError
          ? error
          : new DepthkitError("PROTOCOL", `Unreadable message from the worker: ${error}`, { cause: error }),
      );
    }
  }

  #dispatch(reply: Reply, frames: Uint8Array[]): void {
    this.#onBeat();
    if (reply.t === "beat") return;
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return; // cancelled meanwhile
    switch (reply.t) {
      case "prog":
        this.#tell(reply.id, pending, () => pending.onProgress?.(progress.parse(reply.p)));
        return;
      case "part":
        this.#tell(reply.id, pending, () => pending.onBody?.(bodyOf(reply, frames)));
        return;
      case "welcome":
        this.#pending.delete(reply.id);
        pending.resolve({ p: reply.p, tensors: [] });
        return;
      case "res":
        this.#pending.delete(reply.id);
        pending.resolve(bodyOf(reply, frames));
        return;
      case "err":
        this.#pending.delete(reply.id);
        pending.reject(remoteError(pending.what, reply.e, this.remote));
        return;
    }
  }
}

function bodyOf({ p, b }: Extract<Reply, { t: "res" | "part" }>, frames: Uint8Array[]): Body {
  return { p, tensors: b.map((header, index) => fromFrame(header, frames[index] ?? new Uint8Array())) };
}

function checked<T extends z.ZodType>(method: string, schema: T, { p }: Body): z.output<T> {
  const result = schema.safeParse(p);
  if (result.success) return result.data;
  throw new DepthkitError(
    "PROTOCOL",
    `The worker's answer to ${method} breaks the contract: ${z.prettifyError(result.error)}`,
  );
}

function tensorOf(method: string, { tensors }: Body): (reference: TensorRef) => Tensor {
  return ({ tensor: index }) => {
    const tensor = tensors[index];
    if (tensor !== undefined) return tensor;
    throw new DepthkitError("PROTOCOL", `${method} refers to tensor ${index}, which did not come.`);
  };
}

function cancelled(what: string, signal: AbortSignal | undefined): DepthkitError {
  return new DepthkitError("CANCELLED", `${what} was cancelled.`, { cause: signal?.reason });
}

function tooLarge(what: string, bytes: number, limit: number): DepthkitError {
  return new DepthkitError(
    "OUT_OF_MEMORY",
    `${what}: what is to be sent has ${bytes} bytes in one piece, and this worker takes at most ${limit} ` +
      "(docs/protocol.md). Hand over a file's path in place of its text, or less at a time.",
  );
}

/** Errors that may speak of paths: those of a remote worker are not ours. */
const codesOfPaths: ReadonlySet<ErrorCode> = new Set([
  "UNSUPPORTED_FORMAT",
  "FILE_NOT_FOUND",
  "TARGET_NOT_EMPTY",
  "DISK_FULL",
  "MODEL_NOT_FOUND",
  "MODEL_INVALID",
  "MODULE_MISSING",
] as const);

/** The worker's error as ours: its code and message, the Python traceback as data. */
function remoteError(what: string, error: ErrorReply, remote: string | undefined): DepthkitError {
  const python = error.type === "" ? {} : { python: { type: error.type, traceback: error.traceback } };
  const place = remote === undefined ? {} : { worker: remote };
  const details = { method: what, ...error.details, ...python, ...place };
  if (isErrorCode(error.code)) {
    const whose =
      remote !== undefined && codesOfPaths.has(error.code) ? ` (On the machine of ${remote}.)` : "";
    return new DepthkitError(error.code, error.message + whose, { details });
  }
  return new DepthkitError(
    "PROTOCOL",
    `${what} failed with the unknown code ${error.code}: ${error.message}`,
    { details },
  );
}
