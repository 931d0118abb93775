import { lookup } from "node:dns/promises";
import { resolve } from "node:path";
import { DepthkitError } from "../errors.ts";
import {
  aFlag,
  aFunction,
  aNumberAbove,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  required,
} from "../options.ts";
import { Connection } from "../rpc/connection.ts";
import type { WorkerEnd } from "../rpc/events.ts";
import type { Line } from "../rpc/line.ts";
import { Link, type LinkChange } from "../transport/link.ts";
import { refuses } from "../transport/refuses.ts";
import { type CurveKeys, connectZeromq } from "../transport/zeromq.ts";
import { readKeys } from "../worker/keys.ts";
import { checkAddress } from "../worker/remote-address.ts";
import { type KitOptions, kitChecks } from "./kit-options.ts";

/** What `Depthkit.connect` takes. */
export interface ConnectOptions extends KitOptions {
  /**
   * The key file of this client, which trusts the worker's public key and no other: `depthkit keys` makes it.
   */
  keys: string;
  /** End the session of the client that holds the worker, where one does. */
  takeOver?: boolean | undefined;
  /** How long to wait until the worker answers at first, in milliseconds; 10,000 by default. */
  connectTimeoutMs?: number | undefined;
  /**
   * How long to try to come back after a lost link, in seconds; by default as long as the worker keeps the
   * session, which it says.
   */
  reconnectSeconds?: number | undefined;
  /**
   * How long the worker's machine may answer and refuse the connection, in seconds, until the worker is taken
   * to have ended; 10 by default. Longer where what listens there is a tunnel or a proxy that may be away.
   */
  refusedSeconds?: number | undefined;
  /** Hears when the link is lost, and when it is back. Calls wait meanwhile. */
  onLink?: ((change: LinkChange) => void) | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const REFUSED_SECONDS = 10;

const connectChecks: Checks<ConnectOptions> = {
  ...kitChecks,
  keys: required(aText),
  takeOver: aFlag,
  connectTimeoutMs: aNumberAbove(0),
  reconnectSeconds: aNumberAbove(0),
  refusedSeconds: aNumberAbove(0),
  onLink: aFunction,
};

/**
 * What opens a session on a worker that listens at `url`.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function remoteOpening(url: string, options: ConnectOptions): () => Promise<Line> {
  checkArgument("Depthkit.connect", "url", url, aText);
  checkOptions("Depthkit.connect", options, connectChecks);
  checkAddress("Depthkit.connect", url, { listen: false });
  return () => openRemoteLine(url, options);
}

async function openRemoteLine(url: string, options: ConnectOptions): Promise<Line> {
  const curve = curveKeys(resolve(options.keys));
  await checkHost(url);
  const { takeOver = false, reconnectSeconds = Number.POSITIVE_INFINITY, onLink = () => {} } = options;
  const { refusedSeconds = REFUSED_SECONDS } = options;
  let link: Link | undefined;
  const connection = new Connection(
    (listener) => {
      link = new Link(
        {
          url,
          takeOver,
          reconnectMs: reconnectSeconds * 1_000,
          refuses: () => refuses(url),
          refusedMs: refusedSeconds * 1_000,
          connect: (one) => connectZeromq(url, one, curve),
          onChange: onLink,
        },
        listener,
      );
      return link;
    },
    () => {},
    url,
  );
  try {
    const { pid, python } = await connection.hello("", options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    const closed = link?.closed ?? Promise.resolve();
    const close = async () => {
      connection.end(new DepthkitError("CLOSED", "The session was closed."));
      await closed;
    };
    return { pid, python, connection, close, ended: closed.then(() => endOf(connection)) };
  } catch (error) {
    connection.end(new DepthkitError("CLOSED", "The session did not begin."));
    throw error;
  }
}

/** Of a worker of another machine nothing is known but how its session ended. */
function endOf({ ended: error }: Connection): WorkerEnd {
  const unknown = { exitCode: null, signal: null, stderr: "" };
  if (error === undefined || error.is("CLOSED")) return { how: "closed", ...unknown, error: null };
  return { how: "crashed", ...unknown, error };
}

/** libzmq says nothing of a name that is no host's. */
async function checkHost(url: string): Promise<void> {
  const host = url.slice("tcp://".length, url.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  try {
    await lookup(host);
  } catch (cause) {
    const message = `Connecting to ${url}: there is no host ${host}. Check the name, or give its address.`;
    throw new DepthkitError("CONNECTION_LOST", message, { cause, details: { worker: url } });
  }
}

function curveKeys(file: string): CurveKeys {
  const { public: own, secret, trusted } = readKeys(file);
  const servers = Object.values(trusted);
  const [server] = servers;
  if (server !== undefined && servers.length === 1) return { public: own, secret, server };
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `The key file ${file} trusts ${servers.length} keys, and a client's must trust one: that of its ` +
      "worker. " +
      (servers.length === 0
        ? `Run: npx depthkit keys ${file} --trust NAME.pub, with the worker's public key.`
        : "Make a key file for each worker."),
    { details: { path: file } },
  );
}
