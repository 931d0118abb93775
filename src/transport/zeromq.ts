import { Dealer } from "zeromq";
import { DepthkitError } from "../errors.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** Keys of CURVE, as 40 letters in Z85: one's own pair, and the public one of who must answer. */
export interface CurveKeys {
  readonly public: string;
  readonly secret: string;
  readonly server: string;
}

/** libzmq looks by itself whether another machine is there, and gives a connection up after this silence. */
const HEARTBEAT_MS = 5_000;
const SILENCE_MS = 15_000;

/**
 * A DEALER socket with one send queue and one reader: zeromq.js allows a single send and a single
 * receive under way, and answers EBUSY to the second.
 */
export function connectZeromq(endpoint: string, listener: TransportListener, keys?: CurveKeys): Transport {
  const socket = new Dealer({
    linger: 0, // an unsent message must not keep the process alive
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    immediate: true, // never queue for a worker that is gone: the next one would get it
    // A connection made anew below us would be a stranger's to the worker, and every call on it lost in
    // silence.
    reconnectInterval: -1,
    ...(keys === undefined ? {} : remoteOptions(endpoint, keys)),
  });
  const queue: Uint8Array[][] = [];
  let sending = false;
  let closed = false;
  let known = false;

  const fail = (error: unknown) => {
    if (!closed) listener.onFailure(error instanceof Error ? error : new Error(String(error)));
  };
  // What is wrong with a handshake is told first; that the connection ends follows.
  socket.events.on("handshake", () => {
    known = true;
  });
  socket.events.on("handshake:error:auth", () => fail(notTrusted(endpoint)));
  socket.events.on("handshake:error:other", () => fail(otherKey(endpoint)));
  socket.events.on("handshake:error:protocol", () => fail(otherKey(endpoint)));
  socket.events.on("disconnect", () =>
    fail(known || keys === undefined ? new Error("the other side closed it") : otherKey(endpoint)),
  );
  const nobody = () => fail(new Error(`nobody listens at ${endpoint}`));
  socket.events.on("connect:retry", nobody);
  socket.events.on("close", nobody);
  socket.connect(endpoint);

  const drain = async () => {
    sending = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await socket.send(next);
    } catch (error) {
      fail(error);
    } finally {
      sending = false;
    }
  };

  const read = async () => {
    try {
      for await (const frames of socket) listener.onMessage(frames);
    } catch (error) {
      fail(error);
    }
  };
  void read();

  return {
    send(frames) {
      if (closed) return;
      queue.push(frames);
      if (!sending) void drain();
    },
    close() {
      if (closed) return;
      closed = true;
      queue.length = 0;
      socket.close();
    },
  };
}

function remoteOptions(endpoint: string, keys: CurveKeys) {
  return {
    curvePublicKey: keys.public,
    curveSecretKey: keys.secret,
    curveServerKey: keys.server,
    ipv6: endpoint.includes("["),
    heartbeatInterval: HEARTBEAT_MS,
    heartbeatTimeout: SILENCE_MS,
  };
}

function notTrusted(endpoint: string): DepthkitError {
  return new DepthkitError(
    "KEY_REFUSED",
    `The worker at ${endpoint} does not trust this client's key. On its machine: depthkit keys FILE ` +
      "--trust NAME.pub, with its own key file and this client's public key.",
    { details: { worker: endpoint, refused: "client" } },
  );
}

function otherKey(endpoint: string): DepthkitError {
  return new DepthkitError(
    "KEY_REFUSED",
    `What listens at ${endpoint} has not the key that the key file trusts: it is another worker, its key ` +
      "was made anew, or it is no depthkit worker. Here: depthkit keys FILE --trust NAME.pub, with this " +
      "client's key file and the worker's public key.",
    { details: { worker: endpoint, refused: "worker" } },
  );
}
