import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { Dealer } from "zeromq";
import { fuzzed, guess, hostile, ping } from "../../bench/hostile-messages.ts";
import { decode, encode } from "../../src/protocol/codec.ts";
import { hello } from "../../src/protocol/envelope.ts";
import { launchWorker, type WorkerProcess } from "../../src/worker/launch.ts";

async function connect(worker: WorkerProcess): Promise<Dealer> {
  const socket = new Dealer({ linger: 0 });
  socket.connect(worker.endpoint);
  return socket;
}

/** What the worker answers to `message`, past beats and whatever else it still had to say. */
async function answer(socket: Dealer, id: number, message: Uint8Array): Promise<{ t: string; p?: unknown }> {
  await socket.send(message);
  for await (const [envelope] of socket) {
    const reply = decode(envelope ?? new Uint8Array()) as { t: string; id: number };
    if (reply.id === id) return reply;
  }
  throw new Error("the socket was closed");
}

const greeting = (worker: WorkerProcess) => encode({ t: "hello", id: 9_999, p: hello(worker.token) });
describe("before hello", () => {
  test("no message of a stranger is answered, and none ends the worker", async () => {
    const worker = await launchWorker();
    const stranger = await connect(worker);
    for (const frames of Object.values(hostile)) await stranger.send(frames);
    for (let count = 0; count < 2_000; count += 1) await stranger.send(fuzzed(count % 2 ? ping : guess));
    // Everything above was read before this is, and a client that knows the token is still welcome.
    const client = await connect(worker);
    expect(await answer(client, 9_999, greeting(worker))).toMatchObject({ t: "welcome" });
    expect(await answer(client, 8_888, ping)).toMatchObject({ t: "res" });
    stranger.close();
    client.close();
    await worker.close();
  });

  test.skipIf(process.platform === "win32")(
    "nobody else's folder: and after hello nobody can connect",
    async () => {
      const worker = await launchWorker();
      const folder = dirname(worker.endpoint.slice("ipc://".length));
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      const client = await connect(worker);
      expect(await answer(client, 9_999, greeting(worker))).toMatchObject({ t: "welcome" });
      expect(existsSync(folder)).toBe(false);
      client.close();
      await worker.close();
    },
  );

  test.skipIf(process.platform === "win32")(
    "a worker that nobody ever spoke to leaves no socket",
    async () => {
      const worker = await launchWorker();
      const folder = dirname(worker.endpoint.slice("ipc://".length));
      await worker.close();
      expect(existsSync(folder)).toBe(false);
      const killed = await launchWorker();
      killed.kill();
      await killed.exited;
      expect(existsSync(dirname(killed.endpoint.slice("ipc://".length)))).toBe(false);
    },
  );
});

describe("after hello", () => {
  test("a message that cannot be read is dropped, and the next is answered", async () => {
    const worker = await launchWorker();
    const client = await connect(worker);
    expect(await answer(client, 9_999, greeting(worker))).toMatchObject({ t: "welcome" });
    for (const frames of Object.values(hostile)) await client.send(frames);
    for (let count = 0; count < 2_000; count += 1) await client.send(fuzzed(ping));
    expect(await answer(client, 8_889, encode({ ...(decode(ping) as object), id: 8_889 }))).toMatchObject({
      t: "res",
      p: { integer: 2 },
    });
    client.close();
    await worker.close();
  });
});
