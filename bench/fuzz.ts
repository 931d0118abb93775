/**
 * 100,000 broken messages, half of them from a stranger and half behind a good hello: the worker must answer
 * a good one after them. Time is that of all of them, from the first sent to the answer.
 */
import type { Dealer } from "zeromq";
import { launchWorker } from "../src/worker/launch.ts";
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
} from "./hostile-messages.ts";

const MESSAGES = 50_000;

async function attack(socket: Dealer): Promise<void> {
  for (const frames of Object.values(hostile)) await socket.send(frames);
  for (let sent = 0; sent < MESSAGES; sent += 1) await socket.send(fuzzed(sent % 2 ? ping : guess));
}

const worker = await launchWorker({ verbose: true });
let done = false;
void worker.exited.then(({ code, signal }) => {
  if (done) return;
  console.error(`The worker ended with ${signal ?? code}.`);
  process.exit(1);
});
const [stranger, client] = [connect(worker), connect(worker)];
const started = performance.now();
await attack(stranger);
await answer(client, 9_999, greeting(worker));
const middle = performance.now();
await attack(client);
await answer(client, distantId, pingAs(distantId));
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
