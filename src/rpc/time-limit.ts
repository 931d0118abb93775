import { DepthkitError } from "../errors.ts";
import { aWhole, callChecks } from "../options.ts";

/** The longest that a timer of Node's can be set for. */
const LONGEST_MS = 2_147_483_647;
export const aDuration = aWhole(1, LONGEST_MS);

/** What every call to a worker can be given. */
export const workerCallChecks = { ...callChecks, timeoutMs: aDuration } as const;

/**
 * Does something that ends at a signal, within a limit of time. What asks a worker several times gives each
 * of these calls the same limit too, so that a shorter one of the kit's does not end them.
 *
 * @throws DepthkitError TIMEOUT where the limit runs out, and what `run` throws
 */
export async function withTimeLimit<T>(
  what: string,
  { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return run(signal);
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  let ranOut: DepthkitError | undefined;
  const timer = setTimeout(() => {
    ranOut = new DepthkitError(
      "TIMEOUT",
      `${what} did not end within its timeoutMs of ${timeoutMs}, and was cancelled.`,
      { details: { method: what, timeoutMs } },
    );
    controller.abort(ranOut);
  }, timeoutMs);
  try {
    return await run(controller.signal);
  } catch (error) {
    const stopped = error instanceof DepthkitError && (error.is("CANCELLED") || error.is("TIMEOUT"));
    throw stopped && ranOut !== undefined ? ranOut : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
