import { DepthkitError } from "../errors.ts";

export function cancelled(what: string): DepthkitError {
  return new DepthkitError("CANCELLED", `${what} was cancelled; nothing half done was left behind.`);
}

export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw cancelled(what);
}
