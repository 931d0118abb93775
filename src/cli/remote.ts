import { Depthkit, DepthkitError } from "../index.ts";
import { remoteFlags } from "./remote-flags.ts";

/** The key file that was given, for commands that cannot do without. */
export function requireKeys(what: string): string {
  const { keys } = remoteFlags();
  if (keys !== undefined) return keys;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `${what} needs a key file: nothing goes unencrypted from machine to machine. Give --keys FILE, which ` +
      "`depthkit keys FILE` makes (docs/remote.md).",
  );
}

/**
 * Runs `work` with a worker of this machine that is gone afterwards, or with the remote one that was named.
 */
export async function withWorker<T>(signal: AbortSignal, work: (kit: Depthkit) => Promise<T>): Promise<T> {
  const { worker } = remoteFlags();
  await using kit = worker === undefined ? await Depthkit.start({ signal }) : await connect(worker);
  return await work(kit);
}

/** The same for what only a remote one can do. */
export function withRemoteWorker<T>(
  what: string,
  signal: AbortSignal,
  work: (kit: Depthkit) => Promise<T>,
): Promise<T> {
  if (remoteFlags().worker !== undefined) return withWorker(signal, work);
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `${what} needs a remote worker: give --worker tcp://host:port.`,
  );
}

function connect(url: string): Promise<Depthkit> {
  return Depthkit.connect(url, {
    keys: requireKeys("--worker"),
    takeOver: remoteFlags().takeOver,
    onLink: (change) => {
      const words = change.state === "lost" ? `was lost: ${change.reason}. Trying again.` : "is back.";
      process.stderr.write(`\nNote: the link to ${url} ${words}\n`);
    },
  });
}
