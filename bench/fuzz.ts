/**
 * 100,000 broken messages, half of them from a stranger and half behind a good hello: the worker must answer
 * a good one after them. Time is that of all of them, from the first sent to the answer.
 */
import { Dealer } from "zeromq";
import { decode, encode } from "../src/protocol/codec.ts";
import { hello } from "../src/protocol/envelope.ts";
import { launchWorker } from "../src/worker/launch.ts";
import { fuzzed, guess, hostile, ping } from "./hostile-messages.ts";

const MESSAGES = 50_000;

async function attack(socket: Dealer): Promise<void> {
  for (const frames of Object.values(hostile)) await socket.send(frames);
  for (let sent = 0; sent < MESSAGES; sent += 1) await socket.send(fuzzed(sent % 2 ? ping : guess));
}

async function answered(socket: Dealer, id: number, message: Uint8Array): Promise<void> {
  await socket.send(message);
  for await (const [envelope] of socket) {
    if ((decode(envelope ?? new Uint8Array()) as { id: number }).id === id) return;
  }
}

const worker = await launchWorker({ verbose: true });
let done = false;
void worker.exited.then(({ code, signal }) => {
  if (done) return;
  console.error(`The worker ended with ${signal ?? code}.`);
  process.exit(1);
});
const [stranger, client] = [new Dealer({ linger: 0 }), new Dealer({ linger: 0 })];
for (const socket of [stranger, client]) socket.connect(worker.endpoint);
const started = performance.now();
await attack(stranger);
await answered(client, 9_999, encode({ t: "hello", id: 9_999, p: hello(worker.token) }));
const middle = performance.now();
await attack(client);
await answered(client, 8_889, encode({ ...(decode(ping) as object), id: 8_889 }));
const ended = performance.now();
console.log(
  `without a token: ${MESSAGES} messages in ${((middle - started) / 1000).toFixed(1)} s, worker answers`,
);
console.log(
  `with a token: ${MESSAGES} messages in ${((ended - middle) / 1000).toFixed(1)} s, worker answers`,
);
done = true;
stranger.close();
client.close();
await worker.close();
