/** What a kit tells of its workers: how they start, end and are replaced. */
import type { DepthkitError } from "../errors.ts";

/** How a worker ended. */
export interface WorkerEnd {
  /** `closed`: it was asked to; `crashed`: whatever else. */
  readonly how: "closed" | "crashed";
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines it wrote to its standard error. */
  readonly stderr: string;
  /** Why calls to it failed; null where it was closed. */
  readonly error: DepthkitError | null;
}

/** `worker` is its place among the kit's workers, from 0; `pid` that of the process. */
interface OfWorker {
  readonly worker: number;
  readonly pid: number;
}

/** What happens to workers and to the calls they hold. */
export type KitEvent =
  | ({ readonly type: "start" } & OfWorker)
  | ({ readonly type: "exit" } & OfWorker & WorkerEnd)
  /** A new worker stands where one crashed; `crashes` of this place so far. */
  | ({ readonly type: "restart"; readonly crashes: number } & OfWorker)
  /** What a handle names was made again, by `method`, since a call needs it. */
  | ({ readonly type: "rebuild"; readonly method: string; readonly seconds: number } & OfWorker)
  /** A call that was under way when its worker crashed is asked again. */
  | { readonly type: "repeat"; readonly method: string; readonly crashes: number }
  /** Nothing is started any more in the place of the worker that crashed last. */
  | { readonly type: "give-up"; readonly worker: number; readonly error: DepthkitError };

type Log = (fields: object, message: string) => void;

/** Where a kit writes what it does: the shape of pino's loggers, which `console` has too. */
export interface Logger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

export interface Listeners {
  readonly onEvent?: ((event: KitEvent) => void) | undefined;
  readonly logger?: Logger | undefined;
}

/** A listener that throws does so outside: a fault of its own must not stop what it listens to. */
export function teller({ onEvent, logger }: Listeners): (event: KitEvent) => void {
  return (event) => {
    for (const hear of [() => onEvent?.(event), () => logger !== undefined && log(logger, event)]) {
      try {
        hear();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };
}

function log(logger: Logger, event: KitEvent): void {
  const [level, message] = wordsFor(event);
  logger[level](event, message);
}

function wordsFor(event: KitEvent): [keyof Logger, string] {
  switch (event.type) {
    case "start":
      return ["info", "A worker started."];
    case "exit":
      if (event.how === "closed") return ["info", "A worker was closed."];
      return ["error", `A worker crashed. ${event.error?.message ?? ""}`];
    case "restart":
      return ["warn", "A new worker stands where one crashed."];
    case "rebuild":
      return ["info", `${event.method} was done again in a new worker.`];
    case "repeat":
      return ["warn", `${event.method} is asked again, as its worker crashed.`];
    case "give-up":
      return ["error", event.error.message];
  }
}
