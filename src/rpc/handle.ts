import { DepthkitError } from "../errors.ts";
import { type Check, checkArgument } from "../options.ts";
import type { Executor } from "./executor.ts";

/** What a caller gives where a corpus, a task or a repair is expected: from JavaScript it may be anything. */
export const aHandle = (what: string): Check => ({
  allowed: `${what}, as loading or making it gave it`,
  holds: (value) => value instanceof Handle,
});

/**
 * The worker's name for what a caller gave as an argument.
 *
 * @throws DepthkitError INVALID_ARGUMENT where it is nothing that a worker holds, or held by another; CLOSED
 */
export function heldBy(
  connection: Executor,
  call: string,
  name: string,
  value: { on(connection: Executor): string },
): string {
  checkArgument(call, name, value, aHandle(`a ${name}`));
  return value.on(connection);
}

/**
 * Something the worker holds for us. It knows whose it is: the worker's name for it means something else, or
 * nothing, to another worker. It is given back once, however often it is closed, and is gone with its worker.
 */
export class Handle implements AsyncDisposable {
  readonly #connection: Executor;
  readonly #what: string;
  readonly #id: string;
  readonly #release: () => Promise<unknown>;
  #closing: Promise<void> | undefined;

  /** @internal `what`: as messages call it, such as "corpus". `release` asks the worker to forget it. */
  constructor(connection: Executor, what: string, id: string, release: () => Promise<unknown>) {
    this.#connection = connection;
    this.#what = what;
    this.#id = id;
    this.#release = release;
  }

  /**
   * @internal
   *
   * The worker's name for it, to be used in a call over `connection`.
   *
   * @throws DepthkitError INVALID_ARGUMENT where another worker holds it, CLOSED where none does any more
   */
  on(connection: Executor): string {
    if (this.#closing !== undefined) {
      throw new DepthkitError(
        "CLOSED",
        `The ${this.#what} was closed. Load it again, or close it after its last use.`,
      );
    }
    const ended = this.#connection.ended;
    if (ended !== undefined) {
      throw new DepthkitError(
        "CLOSED",
        `The ${this.#what} is gone with the worker that held it (${ended.message}). Load it again.`,
        { cause: ended },
      );
    }
    if (this.#connection !== connection) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `The ${this.#what} is held by another worker than the model. Load it from this model.`,
      );
    }
    return this.#id;
  }

  /** Lets the worker forget it; done already where its worker has ended. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#connection.ended !== undefined) return;
    try {
      await this.#release();
    } catch (error) {
      // It went meanwhile with what held it: its model, or the worker.
      const gone = error instanceof DepthkitError && error.code === "CLOSED";
      if (!gone && this.#connection.ended === undefined) throw error;
    }
  }
}
