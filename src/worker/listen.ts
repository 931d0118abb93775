import { resolve } from "node:path";
import { DepthkitError } from "../errors.ts";
import { aFlag, aNumberAbove, aSignal, aText, type Checks, checkOptions, required } from "../options.ts";
import { checkClusterOptions, clusterChecks } from "./cluster.ts";
import { readKeys } from "./keys.ts";
import { type LaunchOptions, launchWorker } from "./launch.ts";
import { checkAddress } from "./remote-address.ts";

/** What `listenWorker` takes. */
export interface ListenOptions extends LaunchOptions {
  /** Where: `tcp://host:port`. Port `*` is any that is free, host `*` every network of this machine. */
  listen: string;
  /** The key file that {@link makeKeys} made, with the public keys of the clients that are let in. */
  keys: string;
  /** How long a session outlives its link, in seconds: 300 by default. */
  keepSeconds?: number | undefined;
}

/** A worker of this machine that serves clients on others. */
export interface ListeningWorker extends AsyncDisposable {
  readonly pid: number;
  /** Where it listens, with the port that it got. */
  readonly endpoint: string;
  /** Settles when it has ended, whoever ended it: one of the two is set. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  /** Tells its client, lets a running call tidy up for two seconds, and ends it. */
  close(): Promise<void>;
}

const DEFAULT_KEEP_SECONDS = 300;

const listenChecks: Checks<ListenOptions> = {
  listen: required(aText),
  keys: required(aText),
  keepSeconds: aNumberAbove(0),
  python: aText,
  verbose: aFlag,
  startTimeoutMs: aNumberAbove(0),
  ...clusterChecks,
  signal: aSignal,
};

/** See `src/calls.ts`, as for the entry point's other calls. */
export async function listenWorker(options: ListenOptions): Promise<ListeningWorker> {
  checkOptions("listenWorker", options, listenChecks);
  const { listen, keys, keepSeconds = DEFAULT_KEEP_SECONDS, ...launch } = options;
  checkAddress("listenWorker", listen, { listen: true });
  checkClusterOptions("listenWorker", launch);
  const file = resolve(keys);
  if (Object.keys(readKeys(file).trusted).length === 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `The key file ${file} trusts nobody, so nobody could come in. Run: npx depthkit keys ${keys} --trust ` +
        "NAME.pub, with a client's public key.",
      { details: { path: file } },
    );
  }
  const worker = await launchWorker(launch, { endpoint: listen, keys: file, keepSeconds });
  const { pid, endpoint, exited, close } = worker;
  return { pid, endpoint, exited, close, [Symbol.asyncDispose]: close };
}
