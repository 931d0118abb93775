import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Dealer } from "zeromq";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";
import { Depthkit } from "../../src/index.ts";
import { encode } from "../../src/protocol/codec.ts";
import type { CallOptions } from "../../src/rpc/call-options.ts";
import { launchWorker } from "../../src/worker/launch.ts";
import { isAlive, until } from "../unit/platform/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ping = (value: number) => ({ value, integer: 0, text: "", tensors: [] });

/**
 * A call that keeps the worker busy for longer than any test takes, once it is under way: what ends it is
 * what is tested. `npm run bench -- endings` times the ends.
 */
async function busy(kit: Depthkit, options: CallOptions = {}) {
  let begun: () => void = () => {};
  const underWay = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const onProgress = () => begun();
  const call = kit.connection.call("worker.sleep", { seconds: 86_400 }, { ...options, onProgress });
  call.catch(() => {});
  await underWay;
  return { call };
}

/** The same in a script. */
const busyScript = `await new Promise((resolve) => {
  kit.connection.call("worker.sleep", { seconds: 86_400 }, { onProgress: resolve }).catch(() => {});
});`;

/** Runs a script of this project in a Node of its own; gives its exit code and output. */
async function runScript(body: string, env: Record<string, string> = {}) {
  const script = `import { Depthkit } from "./src/index.ts";\n${body}`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code, signal, stdout, stderr };
}

describe("one worker", () => {
  let kit: Depthkit;
  beforeAll(async () => {
    kit = await Depthkit.start();
  });
  afterAll(() => kit.close());

  test("hello is answered before torch is imported", async () => {
    await using fresh = await Depthkit.start();
    expect((await fresh.status()).ready).toBe(false);
  });

  test("BRG1: 200 calls at once, beside a 64 MiB tensor, each get their own answer", async () => {
    const data = new Float32Array(16 << 20).map((_, index) => index);
    const upload = kit.connection.call(
      "worker.ping",
      { ...ping(0), tensors: [{ tensor: 0 }] },
      { tensors: [{ dtype: "float32", shape: [16, 1 << 20], data }] },
    );
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => kit.connection.call("worker.ping", ping(index))),
    );
    expect(answers.map(({ result }) => result.value)).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
    const { result, tensor } = await upload;
    const [reference] = result.tensors;
    if (reference === undefined) throw new Error("no tensor came back");
    const back = tensor(reference);
    expect(back.shape).toEqual([16, 1 << 20]);
    expect(
      Buffer.compare(
        Buffer.from(back.data.buffer, back.data.byteOffset, back.data.byteLength),
        Buffer.from(data.buffer),
      ),
    ).toBe(0);
  });

  test.each([2 ** 32, 2 ** 40, 70e9, 2 ** 53 - 1])(
    "BRG9: the integer %d goes there and back",
    async (integer) => {
      const { result } = await kit.connection.call("worker.ping", { ...ping(1.5), integer });
      expect(result).toMatchObject({ integer, value: 1.5 });
    },
  );

  test.each([1, -0, 0.1, 1e300, 2 ** 40])("BRG9: the number %d goes there and back", async (value) => {
    const { result } = await kit.connection.call("worker.ping", ping(value));
    expect(result.value === value).toBe(true);
  });

  test("BRG9: an integer that a double cannot hold is an error, not rounded", async () => {
    await expect(
      kit.connection.call("worker.ping", { ...ping(1), integer: 2 ** 53 + 2 }),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("status is answered while a call runs; the call reports progress", async () => {
    const controller = new AbortController();
    const { call } = await busy(kit, { signal: controller.signal });
    expect(await kit.status()).toMatchObject({ running: "worker.sleep" });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("a cancelled call rejects, and the worker is free for the next", async () => {
    const controller = new AbortController();
    const { call } = await busy(kit, { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    await kit.connection.call("worker.sleep", { seconds: 0 });
  });

  test("a stranger without the token gets no answer, and the worker goes on", async () => {
    const worker = await launchWorker();
    const stranger = new Dealer({ linger: 0, receiveTimeout: 300 });
    stranger.connect(worker.endpoint);
    await stranger.send(encode({ t: "hello", id: 1, p: { protocol: 1, contract: "", token: "guess" } }));
    await stranger.send(encode({ t: "req", id: 2, m: "worker.status", p: {}, b: [] }));
    await stranger.send("no message at all");
    await stranger.send(encode({ t: "hello", id: 3, p: { unexpected: true } }));
    await expect(stranger.receive()).rejects.toThrow();
    stranger.close();
    expect(isAlive(worker.pid)).toBe(true);
    await worker.close();
  });

  test("another contract is refused by both names", async () => {
    const worker = await launchWorker();
    const client = new Dealer({ linger: 0 });
    client.connect(worker.endpoint);
    await client.send(
      encode({ t: "hello", id: 1, p: { protocol: 1, contract: "0".repeat(64), token: worker.token } }),
    );
    const [reply] = await client.receive();
    expect(String(reply)).toContain("VERSION_MISMATCH");
    client.close();
    await worker.close();
  });
});

describe("endings", () => {
  test("a killed worker rejects every pending call, with signal and last words", async () => {
    const kit = await Depthkit.start();
    const { call } = await busy(kit);
    const settled = Promise.allSettled([call, kit.connection.call("worker.sleep", { seconds: 1 })]);
    process.kill(kit.pid, "SIGKILL");
    for (const result of await settled) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { code: "WORKER_DIED", details: { signal: "SIGKILL" } },
      });
    }
    await expect(kit.status()).rejects.toMatchObject({ code: "WORKER_DIED" });
    await kit.close();
  });

  test("close rejects what is under way with CLOSED and leaves no process", async () => {
    const kit = await Depthkit.start();
    const { call } = await busy(kit);
    const rejected = expect(call).rejects.toMatchObject({ code: "CLOSED" });
    await kit.close();
    await rejected;
    expect(isAlive(kit.pid)).toBe(false);
    await expect(kit.status()).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("BRG3: a program exits by itself after closing, also with a call under way", async () => {
    const { code, stderr } = await runScript(`
      const kit = await Depthkit.start();
      ${busyScript}
      await kit.close();
    `);
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });

  test("BRG3: a program whose start failed exits by itself, with its own error", async () => {
    const { code, stderr } = await runScript(`await Depthkit.start();`, { DEPTHKIT_PYTHON: "/nope" });
    expect(code).toBe(1);
    expect(stderr).toContain("PYTHON_NOT_FOUND");
  });

  test("the worker ends when its parent is killed, idle or busy", async () => {
    for (const work of ["", busyScript]) {
      const { stdout, signal } = await runScript(`
        const kit = await Depthkit.start();
        ${work}
        process.stdout.write(String(kit.pid), () => process.kill(process.pid, "SIGKILL"));
      `);
      expect(signal).toBe("SIGKILL");
      await until(() => !isAlive(Number(stdout)));
    }
  });

  test("BRG5: a temporary folder with a long name is no hindrance", async () => {
    const base = mkdtempSync(join(tmpdir(), "depthkit-"));
    const { code, stderr } = await runScript(
      `const kit = await Depthkit.start(); await kit.status(); await kit.close();`,
      {
        TMPDIR: join(base, "x".repeat(120)),
      },
    );
    rmSync(base, { recursive: true });
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });

  test("BRG5: an interpreter that is not there, too old, or without torch is told apart", async () => {
    await expect(Depthkit.start({ python: "/nope" })).rejects.toMatchObject({ code: "PYTHON_NOT_FOUND" });
  });

  test("BRG5: without torch the worker starts, and calls that need it say what is missing", async () => {
    const base = mkdtempSync(join(tmpdir(), "depthkit-"));
    mkdirSync(join(base, "torch"));
    writeFileSync(
      join(base, "torch", "__init__.py"),
      "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')",
    );
    const { python } = await resolveWorkerPython();
    const { code, stderr } = await runScript(
      `const kit = await Depthkit.start();
       try { await kit.loadModel("smollm2-135m"); } finally { await kit.close(); }`,
      { DEPTHKIT_PYTHON: python, PYTHONPATH: base },
    );
    rmSync(base, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toContain("has no module torch");
  });

  test("an interpreter that ends at once reports its last words", async () => {
    await expect(Depthkit.start({ python: "/bin/false" })).rejects.toMatchObject({
      code: expect.stringMatching(/WORKER_START_FAILED|PYTHON/),
    });
  });
});
