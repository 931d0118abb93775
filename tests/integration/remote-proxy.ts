import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A TCP proxy before a worker, that can lose connections and has a record of what clients sent. */
export interface Proxy {
  /** For clients. */
  readonly url: string;
  /** What each client's connection sent, in the order of the connections. */
  readonly sent: readonly Buffer[][];
  /** Ends every connection, as a network would that is gone; `refuse`: and every later one. */
  drop(options?: { refuse?: boolean }): void;
  /** Lets connections through again. */
  restore(): void;
  /** Calls back once when the worker has sent `bytes` more. */
  after(bytes: number, act: () => void): void;
}

export async function proxyTo(endpoint: string): Promise<Proxy> {
  const port = portOf(endpoint);
  const sockets = new Set<Socket>();
  const sent: Buffer[][] = [];
  let refusing = false;
  let left = Number.POSITIVE_INFINITY;
  let act = () => {};
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const record: Buffer[] = [];
    sent.push(record);
    const worker = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, worker],
      [worker, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (data) => {
        to.write(data);
        if (from === client) record.push(data);
        else count(data.length);
      });
    }
  });
  const count = (bytes: number) => {
    left -= bytes;
    if (left > 0) return;
    left = Number.POSITIVE_INFINITY;
    act();
  };
  const drop = ({ refuse = false } = {}) => {
    refusing = refuse;
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    drop({ refuse: true });
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `tcp://127.0.0.1:${address.port}`,
    sent,
    drop,
    restore: () => {
      refusing = false;
    },
    after: (bytes, then) => {
      left = bytes;
      act = then;
    },
  };
}

export const portOf = (endpoint: string) => Number(endpoint.slice(endpoint.lastIndexOf(":") + 1));
