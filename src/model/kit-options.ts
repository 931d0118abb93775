/** What is asked of a kit, wherever its workers are. */
import { aFunction, type Check, type Checks, isObject } from "../options.ts";
import type { KitEvent, Logger } from "../rpc/events.ts";
import { aDuration } from "../rpc/time-limit.ts";

/** What every kit takes, of whichever worker. */
export interface KitOptions {
  /** A limit in milliseconds for each call that names none of its own. Default: none. */
  timeoutMs?: number | undefined;
  /** Hears of workers that start, end and are replaced, and of what is done again. */
  onEvent?: ((event: KitEvent) => void) | undefined;
  /** Writes the same: a logger of pino's shape, or `console`. */
  logger?: Logger | undefined;
}

const aLogger: Check = {
  allowed: "an object with the functions debug, info, warn and error",
  holds: (value) =>
    isObject(value) && ["debug", "info", "warn", "error"].every((name) => typeof value[name] === "function"),
};

export const kitChecks: Checks<KitOptions> = { timeoutMs: aDuration, onEvent: aFunction, logger: aLogger };
