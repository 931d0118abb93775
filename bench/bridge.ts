/**
 * The worker and the way to it: start, load, a bare call, a call that evaluates subnetworks against the same
 * call as it is timed inside the worker, and how soon the worker is free again after a cancel; and all static
 * metrics against a plain forward. Medians, with the spread of the rounds.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../scripts/steps.ts";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { Depthkit, type DepthkitError, type Model, setup } from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { median, show } from "./figures.ts";

const ROUNDS = 7;

async function startTimes(): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    const kit = await Depthkit.start();
    times.push((performance.now() - started) / 1000);
    await kit.close();
  }
  return times;
}

async function roundTrips(python: string, kit: Depthkit) {
  const pair = spawn(python, [join(root, "bench", "pyzmq_pair.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: pair.stdout })[Symbol.asyncIterator]();
  const ours: number[] = [];
  const theirs: number[] = [];
  const params = { value: 1.5, integer: 7, text: "", tensors: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    pair.stdin.write("1000\n");
    theirs.push(Number((await lines.next()).value));
    const times: number[] = [];
    for (let call = 0; call < 1000; call += 1) {
      const started = performance.now();
      await kit.connection.call("worker.ping", params);
      times.push((performance.now() - started) * 1000);
    }
    ours.push(median(times));
  }
  pair.stdin.end();
  await once(pair, "close");
  return { ours, theirs };
}

const words = "The river was low that year and the boats lay on the sand with their nets still wet. ";

async function throughTheBridge(model: Model): Promise<number[]> {
  await using corpus = await model.loadCorpus({ texts: [words.repeat(80)] }, { sequences: 4, length: 128 });
  const subnetworks = model.units("block").map((unit) => [unit]);
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    const { seconds } = await model.evaluateSubnetworks(corpus, subnetworks).result;
    ratios.push((performance.now() - started) / 1000 / seconds);
  }
  return ratios;
}

/** From the abort until the compute thread takes the next call. */
async function cancelTimes(kit: Depthkit, model: Model): Promise<number[]> {
  await using corpus = await model.loadCorpus({ texts: [words.repeat(400)] }, { sequences: 8, length: 512 });
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const controller = new AbortController();
    const subnetworks = model.units("block").map((unit) => [unit]);
    const { result } = model.evaluateSubnetworks(corpus, subnetworks, { signal: controller.signal });
    const failed = result.catch((error: DepthkitError) => error.code);
    await new Promise((resolve) => setTimeout(resolve, 700 + 37 * round));
    const aborted = performance.now();
    controller.abort();
    await kit.connection.call("worker.sleep", { seconds: 0 });
    times.push((performance.now() - aborted) / 1000);
    if ((await failed) !== "CANCELLED") throw new Error("the evaluation ended before it was cancelled");
  }
  return times;
}

const { model } = await setup();
const { python } = await resolveWorkerPython();
const rows: string[][] = [];
const note = (...row: [string, string, string]) => {
  rows.push(row);
  console.error(row.join("  ")); // a bench takes minutes: say what is known
};

note("spawn to hello", show(await startTimes(), "s"), "under 0.3 s");

const kit = await Depthkit.start();
try {
  const loads: number[] = [];
  const first = await kit.loadModel("smollm2-135m", { device: "cpu" }); // also waits for torch's import
  await first.close();
  for (let round = 0; round < 3; round += 1) {
    const started = performance.now();
    const loaded = await kit.loadModel("smollm2-135m", { device: "cpu" });
    loads.push((performance.now() - started) / 1000);
    await loaded.close();
  }
  note("smollm2-135m loaded (fp32, CPU)", show(loads, "s"), "under 3 s");
  const { ours, theirs } = await roundTrips(python, kit);
  note("bare call, round trip", show(ours, "us"), "");
  note("the same between two Pythons over pyzmq", show(theirs, "us"), "");
  const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
  note("ratio", show(ratios, "x"), "at most 2x");
  await using loaded = await kit.loadModel("smollm2-135m", { device: "cpu" });
  const bridged = await throughTheBridge(loaded);
  note(
    "leave-one-out, 30 blocks, 4 x 128 tokens, against its time in the worker",
    show(bridged, "x"),
    "1.02x",
  );
  note(
    "cancel of an evaluation, 512 tokens per step",
    show(await cancelTimes(kit, loaded), "s"),
    "under 0.2 s",
  );
} finally {
  await kit.close();
}

for (const [sequences, length, batch] of [
  [8, 128, 8],
  [4, 512, 1],
] as const) {
  const args = [model.folder, sequences, length, batch, ROUNDS].map(String);
  const output = execFileSync(python, [join(root, "bench", "influence_pass.py"), ...args], {
    encoding: "utf8",
    env: {
      ...process.env,
      OMP_WAIT_POLICY: "PASSIVE", // as the worker sets it
      PYTHONPATH: [join(root, "python", "src"), process.env["PYTHONPATH"]].join(delimiter),
    },
  });
  const result = JSON.parse(output.trim().split("\n").at(-1) ?? "") as {
    forwardSeconds: number;
    ratios: number[];
  };
  const what = `${sequences} x ${length} tokens, batch ${batch}`;
  note(`plain forward, ${what}`, `${result.forwardSeconds.toPrecision(3)} s`, "");
  note(`all static metrics, ${what}, against it`, show(result.ratios, "x"), "at most 1.3x");
}

console.log(
  renderTable(
    [{ title: "what" }, { title: `median of ${ROUNDS} (lowest to highest)` }, { title: "goal" }],
    rows,
  ),
);
