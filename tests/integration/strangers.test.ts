import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import {
  answer,
  connect,
  distantId,
  fuzzed,
  greeting,
  guess,
  hostile,
  ping,
  pingAs,
} from "../../bench/hostile-messages.ts";
import { launchWorker } from "../../src/worker/launch.ts";

describe("before hello", () => {
  test("no message of a stranger is answered, and none ends the worker", async () => {
    const worker = await launchWorker();
    const stranger = connect(worker);
    for (const frames of Object.values(hostile)) await stranger.send(frames);
    for (let count = 0; count < 2_000; count += 1) await stranger.send(fuzzed(count % 2 ? ping : guess));
    // Everything above was read before this is, and a client that knows the token is still welcome.
    const client = connect(worker);
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
      const client = connect(worker);
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
    const client = connect(worker);
    expect(await answer(client, 9_999, greeting(worker))).toMatchObject({ t: "welcome" });
    for (const frames of Object.values(hostile)) await client.send(frames);
    for (let count = 0; count < 2_000; count += 1) await client.send(fuzzed(ping));
    expect(await answer(client, distantId, pingAs(distantId))).toMatchObject({
      t: "res",
      p: { integer: 2 },
    });
    client.close();
    await worker.close();
  });
});
