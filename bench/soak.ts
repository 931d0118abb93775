/**
 * A kit under fire: jobs of all kinds from several sides at once, cancelled, while its workers are killed,
 * stopped and cut off. Every answer is compared with that of a worker left in peace.
 *
 *     npm run bench -- soak            20 minutes
 *     npx tsx bench/soak.ts MINUTES SEED
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { Coalition } from "../src/game/coalition.ts";
import { Depthkit, type DepthkitError, type Model } from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { tinyModel } from "../tests/integration/tiny-model.ts";
import { workerFaults } from "../tests/integration/worker-faults.ts";

const minutes = Number(process.argv[2] ?? 20);
const SIDES = 4;
const BETWEEN_FAULTS_MS = [2_000, 10_000] as const;
const CANCELLED_SHARE = 0.15;
/** A pause shorter than a worker may be silent for. */
const STALL_MS = 5_000;

let state = Number(process.argv[3] ?? 1);
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
const between = ([low, high]: readonly [number, number]) => low + random() * (high - low);
const oneOf = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;

const folder = mkdtempSync(join(tmpdir(), "depthkit-soak-"));
const tiny = await tinyModel(folder);
writeFileSync(join(folder, "sitecustomize.py"), workerFaults);
process.env["DEPTHKIT_PYTHON"] = (await resolveWorkerPython()).python;
process.env["PYTHONPATH"] = folder;

const prose = (subject: string, lines = 60) => ({
  texts: Array.from(
    { length: lines },
    (_, line) => `On day ${line} the ${subject} counted ${line * 7} stones.`,
  ),
});
const rows = Array.from({ length: 12 }, (_, n) => ({
  question: `What is ${n} plus ${n}?`,
  choices: [`${2 * n}`, `${2 * n + 1}`],
  right: 0,
  answer: `${2 * n}`,
}));

async function hold(kit: Depthkit) {
  const model = await kit.loadModel(tiny, { device: "cpu" });
  const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
  const format = { prompt: "{question}", choices: "choices", answer: "right" };
  const task = await model.loadTask({ rows }, { format });
  const sums = await model.loadGenerationTask({ rows: rows.slice(0, 2) }, { prompt: "{question}" });
  const repaired = await model.without(["block.2"]).repair(corpus, { method: "low-rank", rank: 2 });
  return { model, corpus, task, sums, repaired };
}
type Held = Awaited<ReturnType<typeof hold>>;
type Job = (held: Held, signal: AbortSignal | undefined) => Promise<unknown>;

async function shapleyish(model: Model, corpus: Held["corpus"], signal?: AbortSignal, journal?: string) {
  const players = [...model.units("attention"), ...model.units("feed-forward")];
  await using game = await model.game(corpus, { players, value: ["loss", "kl"], journal });
  const coalitions = players.map((_, player) => Coalition.without(players.length, [player]));
  return await game.evaluate(coalitions, { signal });
}

const jobs: Record<string, Job> = {
  influence: ({ model, corpus }, signal) => model.influence(corpus, { signal }),
  perplexity: ({ repaired }, signal) => repaired.perplexity(prose("heron"), { chunk: 64, signal }),
  choices: ({ model, task }, signal) => model.without(["attention.3"]).choices(task, { items: true, signal }),
  solve: ({ model, sums }, signal) => model.solve(sums, { maxNewTokens: 4, signal }),
  generate: ({ repaired }, signal) => repaired.generate(["One, two,"], { maxNewTokens: 8, signal }),
  game: ({ model, corpus }, signal) => shapleyish(model, corpus, signal),
  "game with a journal": ({ model, corpus }, signal) =>
    shapleyish(model, corpus, signal, mkdtempSync(join(folder, "journal-"))),
  "evaluation with a journal": async ({ model, task }, signal) => {
    const journal = mkdtempSync(join(folder, "journal-"));
    const [one, other] = await model.evaluate(
      [
        { kind: "perplexity", data: prose("heron"), chunk: 32 },
        { kind: "choices", task, batchSize: 2 },
      ],
      { journal, signal },
    );
    return [one.scores, other.scores];
  },
  "a corpus of its own": async ({ model }, signal) => {
    await using corpus = await model.loadCorpus(prose("miller"), { sequences: 2, length: 48, signal });
    return await model.influence(corpus, { signal });
  },
  "a repair of its own": async ({ model, corpus }, signal) => {
    await using repaired = await model.without(["block.4"]).repair(corpus, {
      method: "low-rank",
      rank: 2,
      training: { steps: 4, batchSize: 2, validation: 0 },
      signal,
    });
    return [repaired.repairs, await repaired.perplexity(prose("heron", 20), { chunk: 64, signal })];
  },
};

/** What a call gives, without what no two runs have in common. */
const plain = (value: unknown) =>
  JSON.stringify(value, (key, of) => (/seconds|bytes|firstTokens/i.test(key) ? undefined : of));

const expected: Record<string, string> = {};
{
  await using calm = await Depthkit.start();
  const held = await hold(calm);
  for (const [name, job] of Object.entries(jobs)) expected[name] = plain(await job(held, undefined));
}

const counts = { calls: 0, right: 0, cancelled: 0, lost: 0, wrong: 0 };
const underWay = new Set<symbol>();
const told: Record<string, number> = {};
await using kit = await Depthkit.start({
  restart: "on-crash",
  restartLimit: { crashes: 10, seconds: 60 },
  onEvent: ({ type }) => {
    told[type] = (told[type] ?? 0) + 1;
  },
});
const held = await hold(kit);
const end = performance.now() + minutes * 60_000;
const going = () => performance.now() < end;

async function side(): Promise<void> {
  while (going()) {
    const name = oneOf(Object.keys(jobs));
    const controller = random() < CANCELLED_SHARE ? new AbortController() : undefined;
    const timer = setTimeout(() => controller?.abort(), between([0, 300]));
    const call = Symbol(name);
    underWay.add(call);
    counts.calls += 1;
    try {
      const found = plain(await (jobs[name] as Job)(held, controller?.signal));
      if (found === expected[name]) counts.right += 1;
      else {
        counts.wrong += 1;
        console.error(`WRONG: ${name}\n  ${found}\n  ${expected[name]}`);
      }
    } catch (error) {
      if ((error as DepthkitError).code === "CANCELLED" && controller?.signal.aborted) counts.cancelled += 1;
      else {
        counts.lost += 1;
        console.error(`LOST: ${name}: ${error}`);
      }
    }
    underWay.delete(call);
    clearTimeout(timer);
  }
}

/** What happens to the process `pid`; each but one is its end. */
const faults: Record<string, (pid: number) => Promise<void> | void> = {
  killed: (pid) => void process.kill(pid, "SIGKILL"),
  "cut off": (pid) => void process.kill(pid, "SIGUSR1"),
  unreadable: (pid) => void process.kill(pid, "SIGTTOU"),
  stopped: (pid) => void process.kill(pid, "SIGSTOP"), // until it is taken for dead, a minute later
  stalled: async (pid) => {
    process.kill(pid, "SIGSTOP");
    await delay(STALL_MS);
    process.kill(pid, "SIGCONT");
  },
};
const done: Record<string, number> = {};

async function fire(): Promise<void> {
  for (let round = 0; ; round += 1) {
    await delay(between(BETWEEN_FAULTS_MS));
    if (!going()) return;
    const name =
      round % 8 === 5 ? "stopped" : oneOf(["killed", "killed", "cut off", "unreadable", "stalled"]);
    done[name] = (done[name] ?? 0) + 1;
    await kit.status(); // there is a worker, and `kit.pid` is its number
    const { pid } = kit;
    await faults[name]?.(pid);
    while (name !== "stalled" && kit.pid === pid && going()) await delay(20);
    // A call that meets two crashes is given up by its name; here none is to be lost.
    const met = [...underWay];
    while (met.some((call) => underWay.has(call))) await delay(50);
  }
}

const descriptors = () => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : Number.NaN);
async function taken() {
  const { residentBytes } = await kit.status();
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  return [mb(process.memoryUsage().rss), mb(residentBytes), String(descriptors())];
}

for (const job of Object.values(jobs)) await job(held, undefined);
const before = await taken();
await Promise.all([...Array.from({ length: SIDES }, side), fire()]);
for (const job of Object.values(jobs)) await job(held, undefined);
const after = await taken();
const { models, corpora, tasks, repairs } = await kit.status();

console.log(`${minutes} minutes, ${SIDES} calls at a time`);
console.log(
  renderTable(
    [{ title: "what" }, { title: "count", align: "right" }],
    Object.entries({ ...counts, ...done }).map(([what, n]) => [what, String(n)]),
  ),
);
console.log(
  `events: ${JSON.stringify(told)}; held at the end: ${JSON.stringify({ models, corpora, tasks, repairs })}`,
);
console.log(
  renderTable(
    ["", "this process", "worker", "descriptors"].map((title) => ({ title })),
    [
      ["start", ...before],
      ["end", ...after],
    ],
  ),
);
rmSync(folder, { recursive: true, force: true });
process.exitCode = counts.lost + counts.wrong === 0 ? 0 : 1;
