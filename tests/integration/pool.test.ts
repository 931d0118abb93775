/** One kit over several workers: where calls go, and what becomes of those of a worker that dies. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { compareRepairs, Depthkit, type KitEvent, type Model } from "../../src/index.ts";
import { type Death, dyingWorkers, killTheDying } from "./dying-worker.ts";
import { tinyModel } from "./tiny-model.ts";

const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 3_600_000, interval: 50 });
const prose = (subject: string) => ({
  texts: Array.from({ length: 60 }, (_, line) => `On day ${line} the ${subject} counted ${line * 7} stones.`),
});
const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, of) => (/seconds|bytes/i.test(key) ? undefined : of)));

let folder: string;
let pool: Depthkit;
let model: Model;
let dieAt: (...deaths: Death[]) => void;
let left: () => number;
const events: KitEvent[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-pool-"));
  ({ dieAt, left } = await dyingWorkers(folder));
  // No worker takes the place of one that dies: the other must do.
  pool = await Depthkit.pool({ devices: ["cpu", "cpu"], onEvent: (event) => events.push(event) });
  model = await pool.loadModel(await tinyModel(folder));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

const statuses = () => Promise.all([pool.status({ worker: 0 }), pool.status({ worker: 1 })]);

test("a model is in each of them, and calls go to the least busy", async () => {
  expect((await statuses()).map(({ models }) => models)).toEqual([1, 1]);
  expect(pool.workers).toMatchObject([
    { device: "cpu", calls: 0 },
    { device: "cpu", calls: 0 },
  ]);
  const controller = new AbortController();
  const { signal } = controller;
  const sleeps = [1, 2].map(() => pool.connection.call("worker.sleep", { seconds: 86_400 }, { signal }));
  await eventually(async () => (await statuses()).map(({ running }) => running)).toEqual([
    "worker.sleep",
    "worker.sleep",
  ]);
  expect(pool.workers.map(({ calls }) => calls)).toEqual([1, 1]);
  controller.abort();
  for (const sleep of sleeps) await expect(sleep).rejects.toMatchObject({ code: "CANCELLED" });
  await eventually(async () => (await statuses()).map(({ running }) => running)).toEqual([null, null]);
});

test("every worker gives the same numbers, and reads what a call needs", async () => {
  const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
  const phases: string[] = [];
  const onProgress = ({ phase }: { phase: string }) => phases.push(phase);
  const found = await Promise.all([1, 2, 3, 4].map(() => model.influence(corpus, { onProgress })));
  for (const influence of found) expect(plain(influence)).toEqual(plain(found[0]));
  expect((await statuses()).map(({ corpora }) => corpora)).toEqual([1, 1]);
  expect(phases.some((phase) => phase.startsWith("again: "))).toBe(true);
  await corpus.close();
  expect((await statuses()).map(({ corpora }) => corpora)).toEqual([0, 0]);
});

test("repairs are used where they are, and everywhere once they are saved", async () => {
  const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
  const repaired = await model.without(["block.2"]).repair(corpus, { method: "low-rank", rank: 2 });
  const repairs = async () => (await statuses()).map(({ repairs }) => repairs).sort();
  const several = () => Promise.all([1, 2, 3].map(() => repaired.perplexity(prose("heron"), { chunk: 64 })));
  const [first, ...others] = await several();
  expect(await repairs()).toEqual([0, 1]);
  await repaired.save(join(folder, "saved"));
  for (const found of [...others, ...(await several())]) expect(plain(found)).toEqual(plain(first));
  expect(await repairs()).toEqual([1, 1]);
  await repaired.close();
  expect(await repairs()).toEqual([0, 0]);
});

test("repairs that are compared are trained side by side, one in each", async () => {
  const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
  const training = { steps: 30, batchSize: 2 };
  let both = false;
  const onTraining = async () => {
    const running = (await statuses()).map((status) => status.running);
    both ||= running.every((method) => method === "repair.fit");
  };
  const { rows, subnetworks } = await compareRepairs(model.without(["block.2"]), corpus, {
    repairs: [1, 2].map((rank) => ({
      name: `rank ${rank}`,
      steps: [{ method: "lora" as const, rank, training, onTraining }],
    })),
    evaluate: async (on, call) => ({
      loss: (await on.perplexity(prose("owl"), { chunk: 32, ...call })).loss,
    }),
  });
  expect(both).toBe(true);
  expect(rows.map(({ name, error }) => [name, error])).toEqual([
    ["rank 1", null],
    ["rank 2", null],
  ]);
  await Promise.all([corpus, ...subnetworks].map((one) => one?.close()));
});

test("a device for one model is refused, and so is a worker that there is not", async () => {
  await expect(pool.loadModel(join(folder, "tiny"), { device: "cpu" })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    details: { paths: ["device"] },
  });
  await expect(pool.status({ worker: 2 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a worker that dies while a model is loaded in each: the next one loads it where a call needs it", async () => {
  const restartLimit = { crashes: 100, seconds: 60 };
  await using own = await Depthkit.pool({ devices: ["cpu", "cpu"], restart: "on-crash", restartLimit });
  let once = true;
  const second = await own.loadModel(join(folder, "tiny"), {
    onProgress: (progress) => {
      killTheDying(progress);
      // Of the second worker: the first has loaded it by now.
      if (once && progress.phase.startsWith("again: ")) dieAt(["model.load", "report", 1]);
      once &&= !progress.phase.startsWith("again: ");
    },
  });
  expect(left()).toBe(0);
  const found = await Promise.all([1, 2].map(() => second.generate("One, two,", { maxNewTokens: 4 })));
  expect(plain(found[0])).toEqual(plain(found[1]));
  await second.close();
  for (const worker of [0, 1]) expect(await own.status({ worker })).toMatchObject({ models: 0 });
});

test("the calls of a worker that dies are done by the other; the last one's end is the pool's", async () => {
  const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
  const subnetworks = model.units("block").map((unit) => [unit]);
  const ask = () =>
    model
      .evaluateSubnetworks(corpus, subnetworks, { onProgress: killTheDying })
      .result.then(({ scores }) => scores);
  const expected = await ask();
  dieAt(["subnetworks.evaluate", "part", 3]);
  for (const scores of await Promise.all([ask(), ask(), ask()])) expect(scores).toEqual(expected);
  expect(left()).toBe(0);
  expect(events.filter(({ type }) => type === "exit")).toMatchObject([{ how: "crashed", signal: "SIGKILL" }]);
  expect(events.filter(({ type }) => type === "repeat").length).toBeGreaterThan(0);
  const gone = events.flatMap((event) => (event.type === "exit" ? event.pid : []));
  for (const { pid } of pool.workers) if (!gone.includes(pid)) process.kill(pid, "SIGKILL");
  await expect(pool.exited).resolves.toMatchObject({ how: "crashed", signal: "SIGKILL" });
  await expect(ask()).rejects.toMatchObject({ code: "CLOSED" });
});
