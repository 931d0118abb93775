import type { Progress } from "../progress.ts";

/** What every call that takes its time can be given. */
export interface CallOptions {
  /** Aborting rejects the call with CANCELLED at once; the worker stops at its next step. */
  signal?: AbortSignal | undefined;
  /** Hears of how far the call is. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * A limit in milliseconds, from asking to the answer: what waits its turn, and what is made again in a new
   * worker, counts. The call then rejects with TIMEOUT, and the worker stops at its next step.
   */
  timeoutMs?: number | undefined;
}

/** Options without what every call takes: of a call that another makes. */
export type Own<Options> = Omit<Options, keyof CallOptions>;

/** Of options what every call takes: for the calls that a call makes. */
export const callOf = ({ signal, onProgress, timeoutMs }: CallOptions): CallOptions => ({
  signal,
  onProgress,
  timeoutMs,
});
