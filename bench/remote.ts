/**
 * What a remote worker costs, on the loopback interface: a bare call alone, 64 at once, and 16 MiB there and
 * back in frames of several sizes; through a worker's socket file, through CURVE, and between two Pythons
 * over pyzmq, plain and with CURVE. Medians, with the spread of the rounds, which take turns.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../scripts/steps.ts";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { Depthkit, listenWorker, makeKeys } from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { median, show } from "./figures.ts";

const ROUNDS = 7;
const TOTAL_BYTES = 16 << 20;

/** How many calls, how many of them at once, how many frames with each, and the bytes of a frame. */
type Load = readonly [count: number, atOnce: number, frames: number, bytes: number];
const loads: readonly { what: string; load: Load }[] = [
  { what: "a call, one at a time, us", load: [500, 1, 0, 0] },
  { what: "a call, 64 at once, us", load: [4_000, 64, 0, 0] },
  ...[4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20].map((bytes) => ({
    what: `16 MiB there and back in frames of ${bytes >> 10} KiB, us`,
    load: [3, 1, TOTAL_BYTES / bytes, bytes] as const,
  })),
];

interface Side {
  name: string;
  microseconds(load: Load): Promise<number>;
  close(): Promise<void>;
}

async function ours(name: string, kit: Depthkit): Promise<Side> {
  await kit.connection.call("worker.sleep", { seconds: 0 }); // after the import of torch
  const call = async (frames: number, bytes: number) => {
    const data = new Uint8Array(bytes);
    const tensors = Array.from({ length: frames }, () => ({ dtype: "uint8" as const, shape: [bytes], data }));
    const references = tensors.map((_, tensor) => ({ tensor }));
    await kit.connection.call(
      "worker.ping",
      { value: 1.5, integer: 7, text: "", tensors: references },
      { tensors },
    );
  };
  return {
    name,
    close: () => kit.close(),
    async microseconds([count, atOnce, frames, bytes]) {
      const times: number[] = [];
      const begun = performance.now();
      let left = count;
      const ask = async () => {
        while (left > 0) {
          left -= 1;
          const started = performance.now();
          await call(frames, bytes);
          times.push((performance.now() - started) * 1_000);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, ask));
      return atOnce === 1 ? median(times) : ((performance.now() - begun) * 1_000) / count;
    },
  };
}

function theirs(name: string, python: string, flags: readonly string[]): Side {
  const pair = spawn(python, [join(root, "bench", "pyzmq_pair.py"), ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: pair.stdout })[Symbol.asyncIterator]();
  return {
    name,
    async microseconds(load) {
      pair.stdin.write(`${load.join(" ")}\n`);
      return Number((await lines.next()).value);
    },
    async close() {
      pair.stdin.end();
      await once(pair, "close");
    },
  };
}

const folder = mkdtempSync(join(tmpdir(), "depthkit-bench-"));
const file = (name: string) => join(folder, name);
await makeKeys(file("worker.keys"));
await makeKeys(file("client.keys"), { trust: [file("worker.pub")] });
await makeKeys(file("worker.keys"), { trust: [file("client.pub")] });
const worker = await listenWorker({ listen: "tcp://127.0.0.1:*", keys: file("worker.keys") });
const { python } = await resolveWorkerPython();
const sides = [
  await ours("socket file", await Depthkit.start()),
  await ours("CURVE", await Depthkit.connect(worker.endpoint, { keys: file("client.keys") })),
  theirs("pyzmq, tcp", python, []),
  theirs("pyzmq, CURVE", python, ["--curve"]),
];
const rows: string[][] = [];
for (const { what, load } of loads) {
  const figures: number[][] = sides.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, side] of sides.entries()) figures[index]?.push(await side.microseconds(load));
  }
  const ratios = (figures[1] ?? []).map((value, round) => value / (figures[3]?.[round] ?? Number.NaN));
  rows.push([what, ...figures.map((values) => show(values, "")), show(ratios, "x")]);
  console.error(rows.at(-1)?.join("  "));
}
for (const side of sides) await side.close();
await worker.close();
rmSync(folder, { recursive: true });
const titles = ["what", ...sides.map(({ name }) => name), "CURVE against pyzmq's"];
console.log(
  renderTable(
    titles.map((title) => ({ title })),
    rows,
  ),
);
