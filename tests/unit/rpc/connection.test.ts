import { expect, test } from "vitest";
import { DepthkitError } from "../../../src/errors.ts";
import { decode, encode } from "../../../src/protocol/codec.ts";
import { Connection } from "../../../src/rpc/connection.ts";
import { linkedTransports } from "../../../src/transport/memory.ts";
import type { Transport, TransportListener } from "../../../src/transport/transport.ts";
import { until } from "../platform/processes.ts";

interface Message {
  t: string;
  id: number;
  m?: string;
  p?: { value: number };
}

/** A connection and the far end of its transport, which the test plays. */
function connect(onMessage: (message: Message, far: Transport) => void) {
  let far: Transport | undefined;
  const connection = new Connection((near: TransportListener) => {
    const pair = linkedTransports(near, {
      onMessage: ([envelope]) => {
        if (envelope !== undefined && far !== undefined) onMessage(decode(envelope) as Message, far);
      },
      onFailure: () => {},
    });
    far = pair.right;
    return pair.left;
  });
  return connection;
}

const ping = (value: number) => ({ value, integer: 0, text: "", tensors: [] });
const answer = ({ id, p }: Message) => [
  encode({ t: "res", id, p: { ...p, integer: 0, text: "", tensors: [] }, b: [] }),
];

test("answers find their calls, whatever order they come in", async () => {
  const waiting: Message[] = [];
  const connection = connect((message, far) => {
    waiting.push(message);
    if (waiting.length === 3) for (const late of waiting.reverse()) far.send(answer(late));
  });
  const results = await Promise.all([1, 2, 3].map((value) => connection.call("worker.ping", ping(value))));
  expect(results.map(({ result }) => result.value)).toEqual([1, 2, 3]);
});

test("an abort rejects at once with CANCELLED, tells the worker, and a late answer is dropped", async () => {
  const seen: Message[] = [];
  const connection = connect((message, far) => {
    seen.push(message);
    if (message.t === "cancel" || seen.length > 2) far.send(answer({ ...message, p: { value: 1 } }));
  });
  const controller = new AbortController();
  const call = connection.call("worker.ping", ping(1), { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(call).rejects.toMatchObject({ code: "CANCELLED", cause: { message: "enough" } });
  await until(() => seen.length === 2);
  expect(seen.map(({ t }) => t)).toEqual(["req", "cancel"]);
  // The late answer comes before that of the next call.
  await expect(connection.call("worker.ping", ping(1))).resolves.toMatchObject({ result: { value: 1 } });
});

test("a signal that was aborted before sends nothing", async () => {
  const seen: Message[] = [];
  const connection = connect((message, far) => {
    seen.push(message);
    far.send(answer(message));
  });
  await expect(
    connection.call("worker.ping", ping(1), { signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({
    code: "CANCELLED",
  });
  // What was sent before would be seen before.
  await expect(connection.call("worker.ping", ping(1))).resolves.toBeDefined();
  expect(seen.map(({ t }) => t)).toEqual(["req"]);
});

test("the end of a connection rejects every pending and every later call with its reason", async () => {
  const connection = connect(() => {});
  const pending = [connection.call("worker.ping", ping(1)), connection.call("worker.status", {})];
  connection.end(new DepthkitError("WORKER_DIED", "The worker ended by SIGKILL."));
  for (const call of pending) await expect(call).rejects.toMatchObject({ code: "WORKER_DIED" });
  await expect(connection.call("worker.status", {})).rejects.toMatchObject({ code: "WORKER_DIED" });
});

test("params outside the contract never leave", async () => {
  const seen: Message[] = [];
  const connection = connect((message) => seen.push(message));
  await expect(connection.call("worker.ping", { ...ping(1), integer: 2 ** 53 + 2 })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(seen).toEqual([]);
});

test("a result outside the contract is a PROTOCOL error; an unknown field in it is none", async () => {
  const bodies = [{ value: "x" }, { value: 1, integer: 0, text: "", tensors: [], later: true }];
  const connection = connect(({ id }, far) => far.send([encode({ t: "res", id, p: bodies.shift(), b: [] })]));
  await expect(connection.call("worker.ping", ping(1))).rejects.toMatchObject({ code: "PROTOCOL" });
  await expect(connection.call("worker.ping", ping(1))).resolves.toMatchObject({ result: { value: 1 } });
});

test("an error of the worker keeps its code and carries the Python traceback as data", async () => {
  const connection = connect(({ id }, far) => {
    const e = {
      code: "OUT_OF_MEMORY",
      message: "full",
      details: { batchSize: 8 },
      type: "MemoryError",
      traceback: "at x",
    };
    far.send([encode({ t: "err", id, e })]);
  });
  await expect(connection.call("worker.ping", ping(1))).rejects.toMatchObject({
    code: "OUT_OF_MEMORY",
    details: { method: "worker.ping", batchSize: 8, python: { type: "MemoryError", traceback: "at x" } },
  });
});

test("a message nobody can read ends the connection instead of leaving calls waiting", async () => {
  const connection = connect((_, far) => far.send([new Uint8Array([0xc1])]));
  await expect(connection.call("worker.ping", ping(1))).rejects.toMatchObject({ code: "PROTOCOL" });
});

test("a progress listener that throws fails its own call and cancels it", async () => {
  const seen: string[] = [];
  const connection = connect((message, far) => {
    seen.push(message.t);
    if (message.t !== "req") return;
    const p = { phase: "x", done: 1, total: null, unit: "", seconds: 0 };
    far.send([encode({ t: "prog", id: message.id, p })]);
  });
  const call = connection.call("worker.ping", ping(1), {
    onProgress: () => {
      throw new Error("listener");
    },
  });
  await expect(call).rejects.toThrow("listener");
  await until(() => seen.length === 2);
  expect(seen).toEqual(["req", "cancel"]);
});
