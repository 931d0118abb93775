import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Dealer } from "zeromq";
import {
  type ConnectOptions,
  Depthkit,
  type DepthkitError,
  definePlan,
  type LinkChange,
  type ListeningWorker,
  listenWorker,
  type Model,
  makeKeys,
  runPlan,
} from "../../src/index.ts";
import { encode } from "../../src/protocol/codec.ts";
import { portOf, proxyTo } from "./remote-proxy.ts";
import { tinyModel } from "./tiny-model.ts";

const LISTEN = "tcp://127.0.0.1:*";
const text = "The river was low that year and the boats lay on the sand with their nets still wet. ".repeat(
  40,
);

const ping = (text: string) => ({ value: 1, integer: 0, text, tensors: [] });

let folder: string;
let tiny: string;
let worker: ListeningWorker;
const file = (name: string) => join(folder, name);
const keys = (name: string) => file(`${name}.keys`);
const publicKey = (name: string) => file(`${name}.pub`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-remote-"));
  for (const name of ["gpu", "laptop", "office", "stranger", "misled"]) await makeKeys(keys(name));
  await makeKeys(keys("gpu"), { trust: [publicKey("laptop"), publicKey("office")] });
  for (const client of ["laptop", "office", "stranger"])
    await makeKeys(keys(client), { trust: [publicKey("gpu")] });
  await makeKeys(keys("misled"), { trust: [publicKey("stranger")] });
  tiny = await tinyModel(folder);
  worker = await listenWorker({ listen: LISTEN, keys: keys("gpu") });
});
afterAll(async () => {
  await worker.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A session that is closed after the test, so that the next finds the worker free. */
async function connect(url = worker.endpoint, options: Partial<ConnectOptions> = {}): Promise<Depthkit> {
  const kit = await Depthkit.connect(url, { keys: keys("laptop"), ...options });
  onTestFinished(() => kit.close());
  return kit;
}

/** What happens to the link, and when. */
function linkWatch() {
  const changes: LinkChange["state"][] = [];
  const waiting: (() => void)[] = [];
  return {
    changes,
    onLink: ({ state }: LinkChange) => {
      changes.push(state);
      for (const go of waiting.splice(0)) go();
    },
    async until(state: LinkChange["state"]) {
      while (changes.at(-1) !== state) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}

/** However the other side ends it. */
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.on("error", () => {}).on("close", () => resolve());
    socket.resume();
  });

const corpusOf = (model: Model) => model.loadCorpus({ texts: [text] }, { sequences: 4, length: 64 });

describe("who comes in", () => {
  test("a client that is trusted, one after the other; a session's end frees what it held", async () => {
    const kit = await Depthkit.connect(worker.endpoint, { keys: keys("laptop") });
    const model = await kit.loadModel(tiny, { device: "cpu" });
    expect(await kit.status()).toMatchObject({ pid: worker.pid, models: 1 });
    await kit.close();
    await expect(kit.status()).rejects.toMatchObject({ code: "CLOSED" });
    const next = await connect(worker.endpoint, { keys: keys("office") });
    await next.connection.call("worker.sleep", { seconds: 0 }); // after what is let go of
    expect(await next.status()).toMatchObject({ models: 0 });
    expect(model.info.depth).toBe(6);
  });

  test("not one whose key is not trusted, nor one that trusts another key: both are told which", async () => {
    await expect(Depthkit.connect(worker.endpoint, { keys: keys("stranger") })).rejects.toMatchObject({
      code: "KEY_REFUSED",
      details: { refused: "client" },
    });
    await expect(Depthkit.connect(worker.endpoint, { keys: keys("misled") })).rejects.toMatchObject({
      code: "KEY_REFUSED",
      details: { refused: "worker" },
    });
  });

  test("one that came to be trusted while the worker ran", async () => {
    await makeKeys(keys("late"), { trust: [publicKey("gpu")] });
    const late = { keys: keys("late") };
    await expect(Depthkit.connect(worker.endpoint, late)).rejects.toMatchObject({ code: "KEY_REFUSED" });
    await makeKeys(keys("gpu"), { trust: [publicKey("late")] });
    expect(await (await connect(worker.endpoint, late)).status()).toMatchObject({ pid: worker.pid });
  });

  test("nobody without keys, and nothing goes unencrypted", async () => {
    const none = {} as ConnectOptions;
    await expect(Depthkit.connect(worker.endpoint, none)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const stranger = new Dealer({ linger: 0, immediate: true, reconnectInterval: -1 });
    // Whichever end looks first, the handshake comes to nothing.
    const refused = new Promise((resolve) => stranger.events.on("disconnect", resolve));
    stranger.events.on("handshake", () => expect.unreachable("a stranger was let in"));
    stranger.connect(worker.endpoint);
    await refused;
    stranger.close();

    const proxy = await proxyTo(worker.endpoint);
    const kit = await connect(proxy.url);
    const { result } = await kit.connection.call("worker.ping", ping("nobody reads this sentence"));
    expect(result.text).toBe("nobody reads this sentence");
    const wire = Buffer.concat(proxy.sent.flat()).toString("latin1");
    expect(wire).toContain("CURVE");
    for (const word of ["nobody", "worker.ping", "hello"]) expect(wire).not.toContain(word);
  });

  test("what was recorded opens nothing", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const kit = await Depthkit.connect(proxy.url, { keys: keys("laptop") });
    await kit.status();
    await kit.close();
    const replay = connectTcp(portOf(worker.endpoint), "127.0.0.1");
    for (const part of proxy.sent[0] ?? []) replay.write(part);
    await closed(replay); // by the worker
    // No session was opened by it: the next client finds none.
    expect(await (await connect()).status()).toMatchObject({ pid: worker.pid });
  });

  test("random bytes at the port are dropped, and a client is answered after them", async () => {
    const greeting = Buffer.from([
      0xff,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      0x7f,
      3,
      0,
      ..."CURVE".split("").map((c) => c.charCodeAt(0)),
    ]);
    let seed = 7;
    const random = (length: number) =>
      Buffer.from(
        Array.from({ length }, () => {
          seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
          return seed >> 16;
        }),
      );
    for (let count = 0; count < 200; count += 1) {
      const stranger = connectTcp(portOf(worker.endpoint), "127.0.0.1");
      const bytes =
        count % 2 === 0 ? random(1_000) : Buffer.concat([greeting, Buffer.alloc(47), random(2_000)]);
      stranger.end(bytes);
      await closed(stranger);
    }
    expect(await (await connect()).status()).toMatchObject({ pid: worker.pid });
  });

  test("after the handshake, a message that cannot be read is dropped", async () => {
    const { public: server } = JSON.parse(readFileSync(keys("gpu"), "utf8"));
    const own = JSON.parse(readFileSync(keys("laptop"), "utf8"));
    const curve = { curveServerKey: server, curvePublicKey: own.public, curveSecretKey: own.secret };
    const client = new Dealer({ linger: 0, ...curve });
    client.connect(worker.endpoint);
    for (const frames of [
      ["no message at all"],
      [""],
      ["x".repeat(100_000)],
      [encode({ k: "data", n: 1, a: 0 }), "before open"],
      [encode({ k: "open", version: 1, session: 7 })],
      [encode({ k: "open" })],
    ]) {
      await client.send(frames);
    }
    // Only the last can be read, and is of another version.
    expect(String((await client.receive())[0])).toContain("VERSION_MISMATCH");
    client.close();
    expect(await (await connect()).status()).toMatchObject({ pid: worker.pid });
  });

  test("one at a time: a second is told who is in, and may take over", async () => {
    const first = await connect();
    await first.loadModel(tiny, { device: "cpu" });
    await expect(Depthkit.connect(worker.endpoint, { keys: keys("office") })).rejects.toMatchObject({
      code: "WORKER_BUSY",
      details: { holder: "laptop", lostSeconds: null },
    });
    const call = first.connection.call("worker.sleep", { seconds: 86_400 });
    const ended = expect(call).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    const second = await connect(worker.endpoint, { keys: keys("office"), takeOver: true });
    await ended;
    await second.connection.call("worker.sleep", { seconds: 0 });
    expect(await second.status()).toMatchObject({ models: 0 });
  });

  test("a port that is taken already: told with the address", async () => {
    await expect(listenWorker({ listen: worker.endpoint, keys: keys("gpu") })).rejects.toMatchObject({
      code: "WORKER_START_FAILED",
      message: expect.stringContaining(`cannot listen at ${worker.endpoint}`),
    });
  });

  test("nobody listens, and no such host: told at once", async () => {
    const options = { keys: keys("laptop") };
    await expect(Depthkit.connect("tcp://127.0.0.1:1", options)).rejects.toMatchObject({
      code: "CONNECTION_LOST",
    });
    await expect(Depthkit.connect("tcp://no-such-host.invalid:5555", options)).rejects.toMatchObject({
      code: "CONNECTION_LOST",
    });
    await expect(Depthkit.connect("http://127.0.0.1:1", options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("a link that breaks", () => {
  test("in the middle of a call: the session and the call go on", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const watch = linkWatch();
    const kit = await connect(proxy.url, { onLink: watch.onLink });
    const model = await kit.loadModel(tiny, { device: "cpu" });
    let dropped = false;
    const call = kit.connection.call(
      "worker.sleep",
      { seconds: 2 },
      {
        onProgress: () => {
          if (!dropped) proxy.drop();
          dropped = true;
        },
      },
    );
    await watch.until("restored");
    expect((await call).result).toEqual({ seconds: 2 });
    // What the worker held, it holds.
    expect((await model.generate("The river", { maxNewTokens: 2 })).generations).toHaveLength(1);
    expect(watch.changes).toEqual(["lost", "restored"]);
  });

  test("with a call's answer ready meanwhile, and a call made meanwhile: both are answered, once", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const watch = linkWatch();
    const kit = await connect(proxy.url, { onLink: watch.onLink });
    const running = kit.connection.call("worker.sleep", { seconds: 0.5 });
    proxy.drop({ refuse: true });
    await watch.until("lost");
    const later = kit.connection.call("worker.ping", ping("asked while nobody heard"));
    const cancelled = new AbortController();
    const given = kit.connection.call("worker.sleep", { seconds: 86_400 }, { signal: cancelled.signal });
    cancelled.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    proxy.restore();
    expect((await running).result).toEqual({ seconds: 0.5 });
    expect((await later).result.text).toBe("asked while nobody heard");
    // The cancel arrived too: the compute thread is free.
    await kit.connection.call("worker.sleep", { seconds: 0 });
  });

  test("again and again, while an evaluation streams: every value comes once, and is the same", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const watch = linkWatch();
    const kit = await connect(proxy.url, { onLink: watch.onLink });
    const model = await kit.loadModel(tiny, { device: "cpu" });
    const corpus = await corpusOf(model);
    const subnetworks = model
      .units("block")
      .flatMap((a) => model.units("block").map((b) => [...new Set([a, b])]));
    const whole = await model.evaluateSubnetworks(corpus, subnetworks, { batchSize: 1 }).result;
    let parts = 0;
    const evaluation = model.evaluateSubnetworks(corpus, subnetworks, { batchSize: 1 });
    proxy.after(2_000, () => {
      proxy.drop();
      proxy.after(4_000, () => proxy.drop());
    });
    for await (const _ of evaluation) parts += 1;
    const broken = await evaluation.result;
    expect(parts).toBe(subnetworks.length);
    expect(JSON.stringify(broken.scores)).toBe(JSON.stringify(whole.scores));
    expect(watch.changes.filter((state) => state === "lost").length).toBeGreaterThan(0);
  });

  test("just when the client closes: the worker hears of it all the same, and is free", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const kit = await connect(proxy.url);
    proxy.drop();
    await kit.close();
    expect(await (await connect()).status()).toMatchObject({ pid: worker.pid });
  });

  test("for longer than the worker keeps a session: both give it up", async () => {
    const brief = await listenWorker({ listen: LISTEN, keys: keys("gpu"), keepSeconds: 1 });
    onTestFinished(() => brief.close());
    const proxy = await proxyTo(brief.endpoint);
    const kit = await connect(proxy.url);
    await kit.loadModel(tiny, { device: "cpu" });
    const call = kit.connection.call("worker.sleep", { seconds: 86_400 });
    proxy.drop({ refuse: true });
    await expect(call).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    // Refused while the worker still waits.
    let next: Depthkit | undefined;
    while (next === undefined) {
      next = await connect(brief.endpoint, { keys: keys("office") }).catch((error: DepthkitError) => {
        expect(error.code).toBe("WORKER_BUSY");
        return undefined;
      });
    }
    await next.connection.call("worker.sleep", { seconds: 0 });
    expect(await next.status()).toMatchObject({ models: 0 });
  });

  test("because the worker is killed: its machine refuses, and that is told long before the session's time", async () => {
    const other = await listenWorker({ listen: LISTEN, keys: keys("gpu"), keepSeconds: 3_600 });
    onTestFinished(() => other.close());
    const kit = await connect(other.endpoint, { refusedSeconds: 1 });
    const ended = expect(kit.connection.call("worker.sleep", { seconds: 86_400 })).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: expect.stringContaining("has ended"),
      details: { worker: other.endpoint, refused: true },
    });
    process.kill(other.pid, "SIGKILL");
    await ended;
    await expect(kit.exited).resolves.toMatchObject({ how: "crashed", error: { code: "CONNECTION_LOST" } });
  });

  test("because the worker is stopped: every call is told at once", async () => {
    const other = await listenWorker({ listen: LISTEN, keys: keys("gpu") });
    const kit = await connect(other.endpoint);
    const call = kit.connection.call("worker.sleep", { seconds: 86_400 });
    const ended = expect(call).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: expect.stringContaining("was stopped"),
    });
    await other.close();
    await ended;
    expect(await other.exited).toEqual({ code: 0, signal: null });
  });
});

describe("whose files", () => {
  test("paths are the worker's and absolute, errors say so, and data at hand travel", async () => {
    const kit = await connect();
    const model = await kit.loadModel(tiny, { device: "cpu" });
    await expect(model.loadCorpus("text.txt", { sequences: 1, length: 8 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(worker.endpoint),
    });
    await expect(model.loadCorpus("/no/such.txt", { sequences: 1, length: 8 })).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining(`On the machine of ${worker.endpoint}`),
      details: { worker: worker.endpoint },
    });
    expect((await corpusOf(model)).info).toMatchObject({ sequences: 4 });
  });

  test("a study's journals and record lie on this machine, in a folder named from here", async () => {
    const kit = await connect();
    const out = file("study");
    const plan = definePlan({
      model: { source: tiny, device: "cpu" },
      calibration: { data: { texts: [text] }, sequences: 2, length: 16 },
      rankings: [{ by: "influence", metric: "cosine" }],
      removals: [1],
      evaluations: [{ kind: "perplexity", data: { texts: [text] }, chunk: 16, maxChunks: 2 }],
    } as const);
    await runPlan(kit, plan, { folder: relative(process.cwd(), out) });
    expect(existsSync(join(out, "record.json"))).toBe(true);
  });

  test("an export with a check is refused before anything is written, with what to do instead", async () => {
    const kit = await connect();
    const pruned = (await kit.loadModel(tiny, { device: "cpu" })).without(["block.2"]);
    const written = file("export-checked");
    for (const format of ["huggingface", "gguf"] as const) {
      await expect(pruned.export(written, { format, check: true })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(`the worker at ${worker.endpoint}`),
      });
    }
    expect(existsSync(written)).toBe(false);
  });

  test("an export is fetched back byte by byte, and goes on where it was cut off", async () => {
    const proxy = await proxyTo(worker.endpoint);
    const kit = await connect(proxy.url);
    const model = await kit.loadModel(tiny, { device: "cpu" });
    const written = file("export");
    await model.without(["block.2"]).export(written, { format: "huggingface" });
    const target = file("fetched");
    const controller = new AbortController();
    const cut = kit.fetch(written, target, {
      signal: controller.signal,
      onProgress: ({ phase, done }) => {
        if (phase === "fetching" && done > 2 << 20) controller.abort();
      },
    });
    await expect(cut).rejects.toMatchObject({ code: "CANCELLED" });
    expect(existsSync(target)).toBe(false);
    const { files, fetchedBytes } = await kit.fetch(written, target);
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(total).toBeGreaterThan(6_000_000);
    expect(fetchedBytes).toBeLessThan(total);
    expect(existsSync(`${target}.partial`)).toBe(false);
    const names = (of: string) => readdirSync(of, { recursive: true }).map(String).sort();
    expect(names(target)).toEqual(names(written));
    for (const name of names(written).filter((one) => statSync(join(written, one)).isFile())) {
      expect(readFileSync(join(target, name)).equals(readFileSync(join(written, name)))).toBe(true);
    }
    await expect(kit.fetch(written, target)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  });

  test("what had come and was damaged meanwhile is never taken for whole", async () => {
    const kit = await connect();
    const model = await kit.loadModel(tiny, { device: "cpu" });
    const written = file("export-2");
    await model.without(["block.2"]).export(written, { format: "huggingface" });
    const target = file("fetched-2");
    const controller = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }) => {
      if (phase === "fetching" && done > 2 << 20) controller.abort();
    };
    const cut = kit.fetch(written, target, { signal: controller.signal, onProgress });
    await expect(cut).rejects.toMatchObject({ code: "CANCELLED" });
    const weights = join(`${target}.partial`, "model.safetensors");
    const bytes = readFileSync(weights);
    bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000);
    writeFileSync(weights, bytes);
    await expect(kit.fetch(written, target)).rejects.toMatchObject({ code: "MODEL_INVALID" });
    await kit.fetch(written, target);
    const name = "model.safetensors";
    expect(readFileSync(join(target, name)).equals(readFileSync(join(written, name)))).toBe(true);
  });

  test("nothing else of the worker's machine can be read", async () => {
    const kit = await connect();
    const model = await kit.loadModel(tiny, { device: "cpu" });
    const written = file("only-this");
    await model.without(["block.1"]).save(written);
    const read = (from: string, name: string) =>
      kit.connection.call("files.read", { folder: from, name, offset: 0, bytes: 100 });
    for (const other of [folder, tiny, "/etc", join(written, "..")]) {
      await expect(kit.fetch(other, file("stolen"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await expect(read(other, "config.json")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    for (const name of ["../gpu.keys", "/etc/passwd", ".", "repair.json/../../gpu.keys"]) {
      await expect(read(written, name)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    }
    rmSync(join(written, "repair.json"));
    symlinkSync(keys("gpu"), join(written, "repair.json"));
    await expect(read(written, "repair.json")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(kit.fetch(written, file("stolen"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});
