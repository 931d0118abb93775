/**
 * What a stranger or a broken client may send a worker, and a way to ask whether it still answers: for the
 * tests, and in numbers for the bench.
 */
import { randomInt } from "node:crypto";
import { Dealer } from "zeromq";
import { decode, encode } from "../src/protocol/codec.ts";
import { hello } from "../src/protocol/envelope.ts";
import type { WorkerProcess } from "../src/worker/launch.ts";

export function connect(worker: WorkerProcess): Dealer {
  const socket = new Dealer({ linger: 0 });
  socket.connect(worker.endpoint);
  return socket;
}

/** What the worker answers to `message`, past beats and whatever else it still had to say. */
export async function answer(
  socket: Dealer,
  id: number,
  message: Uint8Array,
): Promise<{ t: string; p?: unknown }> {
  await socket.send(message);
  for await (const [envelope] of socket) {
    const reply = decode(envelope ?? new Uint8Array()) as { t: string; id: number };
    if (reply.id === id) return reply;
  }
  throw new Error("the socket was closed");
}

/** The hello that opens a worker, as call 9,999. */
export const greeting = (worker: WorkerProcess) => encode({ t: "hello", id: 9_999, p: hello(worker.token) });

/** A hello with a token that is no worker's. */
export const guess = encode({ t: "hello", id: 1, p: hello("0".repeat(32)) });
export const pingAs = (id: number) =>
  encode({ t: "req", id, m: "worker.ping", p: { value: 1, integer: 2, text: "", tensors: [] }, b: [] });
export const ping = pingAs(8_888);

/** An id that no three changed bytes make of `ping`'s: fuzzed pings that can be read are answered as well. */
export const distantId = 0x71b3a6d5;

/** Messages that made, or could make, a decoder raise something it was not expected to. */
export const hostile: Record<string, Uint8Array[]> = {
  "text that is no UTF-8": [Buffer.from("82a174a1ffa2696401", "hex")],
  "lists in lists, 100,000 deep": [Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.from([0])])],
  "a map in maps, 100,000 deep": [
    Buffer.concat([Buffer.alloc(200_000, Buffer.from("81a0", "hex")), Buffer.from([0])]),
  ],
  "a text said to have 4 GiB": [Buffer.from("dbffffffff", "hex")],
  "a list said to have four thousand million entries": [Buffer.from("ddffffffff", "hex")],
  "nothing at all": [Buffer.alloc(0)],
  "many frames": Array.from({ length: 1_000 }, () => Buffer.from("x")),
  "eight megabytes": [Buffer.alloc(8 << 20, 0x91)],
  "a token that is no text": [encode({ t: "hello", id: 1, p: { protocol: 1, contract: "", token: 7 } })],
  "a token outside ASCII": [
    encode({ t: "hello", id: 1, p: { protocol: 1, contract: "", token: "é\u{1F511}" } }),
  ],
  "a hello without its end": [
    encode({ t: "hello", id: 1, p: hello("x".repeat(32)) }).subarray(0, 60) as Buffer,
  ],
};

/** Random bytes, and our own messages cut short and with bytes changed. */
export function fuzzed(seed: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(seed);
  if (randomInt(3) === 0) return [Buffer.from(Array.from({ length: randomInt(200) }, () => randomInt(256)))];
  for (let change = randomInt(4); change > 0; change -= 1) bytes[randomInt(bytes.length)] = randomInt(256);
  const whole = randomInt(2) === 0 ? bytes : bytes.subarray(0, randomInt(bytes.length));
  return randomInt(3) === 0 ? [whole, Buffer.from([randomInt(256)])] : [whole];
}
