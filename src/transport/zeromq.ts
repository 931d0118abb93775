import { Dealer } from "zeromq";
import type { Transport, TransportListener } from "./transport.ts";

/**
 * A DEALER socket with one send queue and one reader: zeromq.js allows a single send and a single
 * receive under way, and answers EBUSY to the second.
 */
export function connectZeromq(endpoint: string, listener: TransportListener): Transport {
  const socket = new Dealer({
    linger: 0, // an unsent message must not keep the process alive
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    immediate: true, // never queue for a worker that is gone: the next one would get it
    // A connection made anew below us would be a stranger's to the worker, and every call on it lost in
    // silence.
    reconnectInterval: -1,
  });
  const queue: Uint8Array[][] = [];
  let sending = false;
  let closed = false;

  const fail = (error: unknown) => {
    if (!closed) listener.onFailure(error instanceof Error ? error : new Error(String(error)));
  };
  socket.events.on("disconnect", () => fail(new Error("the other side closed it")));
  socket.events.on("connect:retry", () => fail(new Error(`nobody listens at ${endpoint}`)));
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
