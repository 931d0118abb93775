/** What a stranger or a broken client may send a worker: for the tests, and in numbers for the bench. */
import { randomInt } from "node:crypto";
import { encode } from "../src/protocol/codec.ts";
import { hello } from "../src/protocol/envelope.ts";

/** A hello with a token that is no worker's. */
export const guess = encode({ t: "hello", id: 1, p: hello("0".repeat(32)) });
export const ping = encode({
  t: "req",
  id: 8_888,
  m: "worker.ping",
  p: { value: 1, integer: 2, text: "", tensors: [] },
  b: [],
});

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
