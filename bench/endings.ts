/**
 * How soon what should end has ended: cancels, closings, kills. The tests see that each comes; that it comes
 * soon is a figure of an idle machine, and is taken here. Medians, with the spread of the rounds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { root } from "../scripts/steps.ts";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { type CallOptions, Depthkit, type Progress, setup } from "../src/index.ts";
import { openPython } from "../src/python/index.ts";
import { renderTable } from "../src/report/index.ts";
import { isAlive } from "../tests/unit/platform/processes.ts";
import { median, show } from "./figures.ts";

const ROUNDS = 5;

/** Brings something about, and gives what is waited for. */
type Round = (clock: { start(): void }) => Promise<void>;

const rows: string[][] = [];
let missed = 0;

async function measure(what: string, goal: number, round: Round): Promise<void> {
  const times: number[] = [];
  for (let count = 0; count < ROUNDS; count += 1) {
    let started = Number.NaN;
    const start = () => {
      started = performance.now();
    };
    await round({ start });
    times.push((performance.now() - started) / 1000);
  }
  if (!(median(times) <= goal)) missed += 1;
  const row = [what, show(times, "s"), `${goal} s`];
  rows.push(row);
  console.error(row.join("  ")); // a bench takes minutes: say what is known
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(2);
}

/** A call that keeps a worker busy, once it is under way. */
async function busy(kit: Depthkit, signal?: AbortSignal): Promise<{ ended: Promise<void> }> {
  let ended: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve) => {
    const call = kit.connection.call(
      "worker.sleep",
      { seconds: 600 },
      { signal, onProgress: () => resolve() },
    );
    ended = call.then(
      () => {},
      () => {},
    );
  });
  return { ended };
}

/** A script in a Node of its own, and the lines it prints. */
function script(body: string): { node: ChildProcess; lines: AsyncIterator<string> } {
  const node = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", body], {
    cwd: root,
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (node.stdout === null) throw new Error("the script has no output");
  return { node, lines: createInterface({ input: node.stdout })[Symbol.asyncIterator]() };
}

const busyScript = `import { Depthkit } from "./src/index.ts";
const kit = await Depthkit.start();
await new Promise((resolve) => {
  kit.connection.call("worker.sleep", { seconds: 600 }, { onProgress: resolve }).catch(() => {});
});`;
const forPython = `import { openPython } from "./src/python/index.ts";
const py = await openPython();
py\`__import__("time").sleep(600)\`.catch(() => {});
console.log(py.pid);
await new Promise(() => {});`;

await setup();
await measure("set-up where all is there", 0.25, async ({ start }) => {
  start();
  await setup();
});
await measure("the worker's interpreter found", 0.1, async ({ start }) => {
  start();
  await resolveWorkerPython();
});

const sleeping = async (signal?: AbortSignal) => {
  const py = await openPython({ signal });
  const call = py`__import__("time").sleep(600)`.catch(() => {});
  return { py, call };
};
await measure("a busy Python after close()", 1, async ({ start }) => {
  const { py } = await sleeping();
  start();
  await py.close();
});
await measure("a busy Python after an abort", 1, async ({ start }) => {
  const controller = new AbortController();
  const { py, call } = await sleeping(controller.signal);
  start();
  controller.abort();
  await call;
  await gone(py.pid);
});
await measure("a call of a Python that was killed", 1, async ({ start }) => {
  const { py, call } = await sleeping();
  start();
  process.kill(py.pid, "SIGKILL");
  await call;
});
for (const signal of ["SIGINT", "SIGKILL"] as const) {
  await measure(`a busy Python after ${signal} of its script`, 1, async ({ start }) => {
    const { node, lines } = script(forPython);
    const pid = Number((await lines.next()).value);
    start();
    node.kill(signal);
    await gone(pid);
  });
}

await using kit = await Depthkit.start();
await measure("a cancelled call's rejection", 0.1, async ({ start }) => {
  const controller = new AbortController();
  const { ended } = await busy(kit, controller.signal);
  start();
  controller.abort();
  await ended;
});
await measure("the next call after a cancelled one", 1, async ({ start }) => {
  const controller = new AbortController();
  await busy(kit, controller.signal);
  start();
  controller.abort();
  await kit.connection.call("worker.sleep", { seconds: 0 });
});
await measure("status while a call runs", 0.5, async ({ start }) => {
  const controller = new AbortController();
  const { ended } = await busy(kit, controller.signal);
  start();
  await kit.status();
  controller.abort();
  await ended;
});
{
  await using model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  await measure("a cancelled generation without a cache, and the next call", 0.5, async ({ start }) => {
    const controller = new AbortController();
    const call = model.generate("Count: 1, 2, 3", {
      maxNewTokens: 500,
      cache: false,
      signal: controller.signal,
      onProgress: () => {
        if (controller.signal.aborted) return;
        start();
        controller.abort();
      },
    });
    await call.catch(() => {});
    await kit.connection.call("worker.sleep", { seconds: 0 });
  });
}
/** A call that is cancelled at the first word of a phase, and one behind it, which waits for the worker. */
async function cancelledAt(
  phase: string,
  start: () => void,
  call: (options: CallOptions) => Promise<unknown>,
): Promise<void> {
  const controller = new AbortController();
  const onProgress = (progress: Progress) => {
    if (progress.phase !== phase || controller.signal.aborted) return;
    start();
    controller.abort();
  };
  await call({ signal: controller.signal, onProgress }).catch(() => {});
  await kit.connection.call("worker.sleep", { seconds: 0 });
}
await measure("a cancelled load, and the next call", 0.5, ({ start }) =>
  cancelledAt("loading", start, (options) => kit.loadModel("smollm2-135m", { device: "cpu", ...options })),
);
{
  await using model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  const folder = mkdtempSync(join(tmpdir(), "depthkit-endings-"));
  await measure("a cancelled export, and the next call", 0.5, ({ start }) =>
    cancelledAt("exporting", start, (options) =>
      model.without(["block.3"]).export(join(folder, "smaller"), { format: "huggingface", ...options }),
    ),
  );
  if (readdirSync(folder).length > 0) throw new Error("a cancelled export left something");
  rmSync(folder, { recursive: true });
  // Without a line's end there is no place to cut it: one call of the tokeniser, which takes a minute.
  const text = "All work and no play makes for dull words. ".repeat(500_000);
  await measure("a cancelled text of 20 MB in one piece, and the next call", 0.5, ({ start }) =>
    cancelledAt("tokenise", start, (options) => model.loadCorpus({ texts: [text] }, options)),
  );
}
await measure("pending calls of a worker that was killed", 0.5, async ({ start }) => {
  const doomed = await Depthkit.start();
  const { ended } = await busy(doomed);
  start();
  process.kill(doomed.pid, "SIGKILL");
  await ended;
  await doomed.close();
});
await measure("a program's exit after close() of a busy worker", 1, async ({ start }) => {
  const { node, lines } = script(`${busyScript}\nawait kit.close();\nconsole.log("closed");`);
  const exited = once(node, "exit");
  await lines.next();
  start();
  await exited;
});
await measure("a busy worker after SIGKILL of its program", 5, async ({ start }) => {
  const { node, lines } = script(`${busyScript}\nconsole.log(kit.pid);`);
  const pid = Number((await lines.next()).value);
  start();
  node.kill("SIGKILL");
  await gone(pid);
});
await measure("a command after Ctrl-C", 2, async ({ start }) => {
  const args = [
    "generate",
    "--model",
    "smollm2-135m",
    "--prompt",
    "x",
    "--max-new-tokens",
    "2000",
    "--no-cache",
  ];
  const node = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", ...args], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(node, "exit");
  let interrupted = false;
  node.stderr.on("data", (text) => {
    if (interrupted || !String(text).includes("generating")) return;
    interrupted = true;
    start();
    node.kill("SIGINT");
  });
  await exited;
});

const columns = [
  { title: "what" },
  { title: `median of ${ROUNDS} (lowest to highest)` },
  { title: "promised" },
];
console.log(renderTable(columns, rows));
if (missed > 0) {
  console.error(`${missed} of them took longer than is promised.`);
  process.exitCode = 1;
}
