/** Workers that are killed in the middle of what they do, and the same numbers as without. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Coalition } from "../../src/game/coalition.ts";
import {
  type Corpus,
  Depthkit,
  type KitEvent,
  type Model,
  type Plan,
  runPlan,
  type StartOptions,
  type WrittenText,
} from "../../src/index.ts";
import { type Death, dyingWorkers, killTheDying } from "./dying-worker.ts";
import { tinyModel } from "./tiny-model.ts";

const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 3_600_000, interval: 50 });
const prose = (subject: string, lines = 60) => ({
  texts: Array.from(
    { length: lines },
    (_, line) => `On day ${line} the ${subject} counted ${line * 7} stones.`,
  ),
});
const rows = Array.from({ length: 24 }, (_, n) => ({
  question: `What is ${n} plus ${n}?`,
  choices: [`${2 * n}`, `${2 * n + 1}`],
  right: 0,
  answer: `${2 * n}`,
}));
const format = { prompt: "{question}", choices: "choices", answer: "right" };

let folder: string;
let tiny: string;
let calm: Depthkit;
let calmModel: Model;
let dieAt: (...deaths: Death[]) => void;
let left: () => number;
const load = (kit: Depthkit) => kit.loadModel(tiny, { device: "cpu", onProgress: killTheDying });
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-restart-"));
  tiny = await tinyModel(folder);
  calm = await Depthkit.start();
  calmModel = await load(calm);
  ({ dieAt, left } = await dyingWorkers(folder));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await calm.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A kit whose workers die, and what it tells from now on. Most tests share one: a start takes seconds. */
async function startKit(options: StartOptions = {}) {
  const events: KitEvent[] = [];
  const kit = await Depthkit.start({
    restart: "on-crash",
    restartLimit: { crashes: 100, seconds: 60 },
    onEvent: (event) => events.push(event),
    ...options,
  });
  const of = <T extends KitEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<KitEvent, { type: T }> => event.type === type);
  return { kit, events, of, kill: () => process.kill(kit.pid, "SIGKILL") };
}
let shared: Awaited<ReturnType<typeof startKit>> | undefined;
async function start() {
  shared ??= await startKit();
  shared.events.length = 0;
  return shared;
}
afterAll(() => shared?.kit.close());

const hold = async (model: Model) => ({
  corpus: await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 }),
  task: await model.loadTask({ rows }, { format }),
  sums: await model.loadGenerationTask({ rows: rows.slice(0, 3) }, { prompt: "{question}" }),
});
type Held = Awaited<ReturnType<typeof hold>>;

/** What a call gives, without what no two runs have in common. */
const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, of) => (/seconds|bytes/i.test(key) ? undefined : of)));

/** In every call: it dies where `dieAt` says. */
const dies = { onProgress: killTheDying };
const calls: [Death, (model: Model, held: Held) => Promise<unknown>][] = [
  [
    ["influence.measure", "report", 2],
    (model, { corpus }) => model.influence(corpus, { batchSize: 1, ...dies }),
  ],
  [
    ["evaluation.perplexity", "report", 4],
    (model) => model.perplexity(prose("heron"), { chunk: 64, ...dies }),
  ],
  [
    ["evaluation.choices", "report", 5],
    (model, { task }) => model.choices(task, { items: true, batchSize: 1, compareToDense: true, ...dies }),
  ],
  [
    ["generation.solve", "report", 2],
    (model, { sums }) => model.solve(sums, { maxNewTokens: 4, batchSize: 1, ...dies }),
  ],
  [
    ["generation.generate", "report", 3],
    (model) => model.generate(["One, two,"], { maxNewTokens: 8, ...dies }),
  ],
  [
    ["generation.generate", "part", 4],
    async (model) => {
      // Nothing is told twice.
      const pieces: string[] = [];
      const onText = ({ text }: WrittenText) => pieces.push(text);
      const { generations } = await model.generate("One, two,", { maxNewTokens: 12, ...dies, onText });
      expect(pieces.join("")).toBe(generations[0]?.text);
      return pieces.length > 4;
    },
  ],
  [
    ["subnetworks.evaluate", "part", 3],
    async (model, { corpus }) => {
      const subnetworks = model.units("block").map((unit) => [unit]);
      return (await model.evaluateSubnetworks(corpus, subnetworks, dies).result).scores;
    },
  ],
  [
    ["repair.fit", "part", 2],
    async (model, { corpus }) => {
      const repaired = await model.without(["block.2", "block.4"]).repair(corpus, {
        method: "low-rank",
        rank: 2,
        training: { steps: 6, batchSize: 2, validation: 0 },
        ...dies,
      });
      return [repaired.repairs, await repaired.perplexity(prose("heron", 20), { chunk: 64 })];
    },
  ],
];

describe("a worker that is killed and replaced", () => {
  test.each(calls)(
    "in the middle of a call (%s): the same numbers, and handles go on",
    async (death, call) => {
      const expected = plain(await call(calmModel, await hold(calmModel)));
      const { kit, of } = await start();
      const model = await load(kit);
      const held = await hold(model);
      dieAt(death);
      expect(plain(await call(model, held))).toEqual(expected);
      expect(left()).toBe(0);
      expect(of("exit")).toMatchObject([{ how: "crashed", signal: "SIGKILL" }]);
      expect(of("restart")).toHaveLength(1);
      expect(of("repeat")).toMatchObject([{ method: death[0] }]);
      expect(plain(await call(model, held))).toEqual(expected);
    },
  );

  test("while it loads a model, and while it loads it again", async () => {
    const { kit, of } = await start();
    dieAt(["model.load", "report", 1]);
    const model = await load(kit);
    expect(of("repeat")).toMatchObject([{ method: "model.load", crashes: 1 }]);
    const { loadSeconds: _, ...info } = model.info;
    expect(calmModel.info).toMatchObject(info);
    const expected = await calmModel.generate("One", { maxNewTokens: 3 });
    dieAt(["generation.generate", "report", 1], ["model.load", "report", 1]);
    // The second death is while it is made ready for, and counts against it.
    await expect(model.generate("One", { maxNewTokens: 3, ...dies })).rejects.toMatchObject({
      code: "WORKER_DIED",
      details: { crashes: 2, method: "generation.generate" },
    });
    expect(plain(await model.generate("One", { maxNewTokens: 3, ...dies }))).toEqual(plain(expected));
  });

  test("a game goes on from what it measured", async () => {
    const coalitions = Array.from({ length: 12 }, (_, player) => Coalition.without(12, [player]));
    const players = calmModel.units("attention").concat(calmModel.units("feed-forward"));
    const options = { players, value: ["loss", "kl"] } as const;
    const play = async (model: Model, journal?: string) => {
      const { corpus } = await hold(model);
      await using game = await model.game(corpus, { ...options, journal, ...dies });
      return { values: await game.evaluate(coalitions), counts: game.counts };
    };
    const expected = await play(calmModel);
    const { kit, of } = await start();
    const model = await load(kit);
    // Twice under one call, with something finished in between each time.
    const death = ["subnetworks.evaluate", "part", 4] as const;
    dieAt(death, death);
    const found = await play(model, mkdtempSync(join(folder, "game-")));
    expect(left()).toBe(0);
    expect(found).toEqual(expected); // and none measured twice
    expect(of("repeat").map(({ crashes }) => crashes)).toEqual([1, 1]);
  });

  test("an evaluation with a journal scores no item twice", async () => {
    const evaluations = ({ task }: Held) => [
      { kind: "perplexity", data: prose("heron"), chunk: 32 } as const,
      { kind: "choices", task, batchSize: 2 } as const,
    ];
    const expected = await calmModel.evaluate(evaluations(await hold(calmModel)));
    const { kit } = await start();
    const model = await load(kit);
    const journal = mkdtempSync(join(folder, "items-"));
    dieAt(["evaluation.perplexity", "part", 2], ["evaluation.choices", "part", 3]);
    const found = await model.evaluate(evaluations(await hold(model)), { journal, ...dies });
    expect(left()).toBe(0);
    expect(plain(found)).toEqual(plain(expected));
    const lines = readdirSync(journal).flatMap((file) =>
      readFileSync(join(journal, file), "utf8").split("\n"),
    );
    const entries = lines.filter((line) => line.startsWith("["));
    expect(entries.length).toBe(found.reduce((sum, { items }) => sum + items, 0));
  });

  test("a plan goes on, and leaves the same record", async () => {
    const plan: Plan = {
      model: { source: tiny, device: "cpu" },
      calibration: { data: prose("fox"), sequences: 4, length: 64 },
      rankings: [{ by: "influence" }],
      removals: [1, 2],
      evaluations: [{ kind: "perplexity", name: "heron", data: prose("heron"), chunk: 64 }],
      texts: { prompts: ["One, two,"], maxNewTokens: 4 },
    };
    const expected = await runPlan(calm, plan, { folder: join(folder, "calm-plan") });
    const { kit } = await start();
    dieAt(["subnetworks.evaluate", "part", 2], ["generation.generate", "report", 1]);
    const record = await runPlan(kit, plan, { folder: join(folder, "plan"), ...dies });
    expect(left()).toBe(0);
    const same = ({ timings: _, ...rest }: typeof record) => plain(rest);
    expect(same(record)).toEqual(same(expected));
  });
});

describe("what is made again", () => {
  test("repairs on repairs, what they were made from being closed", async () => {
    const { kit, of, kill } = await start();
    const make = async (model: Model, corpus: Corpus) => {
      const base = await model.without(["block.2", "block.4"]).repair(corpus, { method: "fold" });
      return base.repair(corpus, { method: "lora", rank: 1, training: { steps: 2, validation: 0 } });
    };
    const calmCorpus = await calmModel.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
    const expected = await (await make(calmModel, calmCorpus)).perplexity(prose("heron"), { chunk: 64 });
    const model = await load(kit);
    const corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
    const healed = await make(model, corpus);
    await corpus.close();
    kill();
    expect(plain(await healed.perplexity(prose("heron"), { chunk: 64 }))).toEqual(plain(expected));
    expect(of("rebuild").map(({ method }) => method)).toEqual(
      expect.arrayContaining(["model.load", "corpus.load", "repair.fit", "repair.fit"]),
    );
    expect(await kit.status()).toMatchObject({ models: 1, corpora: 0, repairs: 3 });
    await healed.close();
    expect(await kit.status()).toMatchObject({ repairs: 2 });
    await model.close();
    expect(await kit.status()).toMatchObject({ models: 0, repairs: 0 });
  });

  test("what LoRA learned along with gates", async () => {
    const { kit, of, kill } = await start();
    const model = await load(kit);
    const fit = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
    const choose = await model.loadCorpus(prose("heron"), { sequences: 2, length: 32 });
    const strategy = { name: "learned-gates", steps: 2, lora: { rank: 1, rate: 0.01 } } as const;
    const { subnetwork } = await model.search({ strategy, budget: 1, fit, choose });
    const before = await subnetwork.perplexity(prose("heron"), { chunk: 64 });
    kill();
    expect(plain(await subnetwork.perplexity(prose("heron"), { chunk: 64 }))).toEqual(plain(before));
    expect(of("rebuild").map(({ method }) => method)).toContain("gates.learn");
    await subnetwork.close();
    expect(await kit.status()).toMatchObject({ repairs: 0 });
  });

  test("a corpus whose model was closed brings it back for as long as it takes", async () => {
    const { kit, kill } = await start();
    const first = await load(kit);
    const corpus = await first.loadCorpus(prose("fox"), { sequences: 4, length: 64 });
    const second = await load(kit);
    await first.close();
    const before = await second.influence(corpus);
    kill();
    expect(plain(await second.influence(corpus))).toEqual(plain(before));
    expect(await kit.status()).toMatchObject({ models: 1, corpora: 1 });
  });

  test("saved repairs are read and not fitted again; where the folder went, they are fitted", async () => {
    const { kit, of, kill } = await start();
    const model = await load(kit);
    const { corpus } = await hold(model);
    const repaired = await model.without(["block.3"]).repair(corpus, { method: "low-rank", rank: 4 });
    const before = await repaired.perplexity(prose("heron"), { chunk: 64 });
    const saved = join(folder, "saved");
    await repaired.save(saved);
    kill();
    expect(plain(await repaired.perplexity(prose("heron"), { chunk: 64 }))).toEqual(plain(before));
    expect(of("rebuild").map(({ method }) => method)).toEqual(["model.load", "repair.load"]);
    rmSync(saved, { recursive: true });
    kill();
    expect(plain(await repaired.perplexity(prose("heron"), { chunk: 64 }))).toEqual(plain(before));
    expect(of("rebuild").map(({ method }) => method)).toContain("repair.fit");
  });

  test("a file that changed since is an error, and no other value", async () => {
    const { kit, kill } = await start();
    const model = await load(kit);
    const file = join(folder, "text.txt");
    writeFileSync(file, prose("fox").texts.join("\n"));
    const corpus = await model.loadCorpus(file, { sequences: 2, length: 32 });
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("stones", "sheep"));
    kill();
    await expect(model.influence(corpus)).rejects.toMatchObject({
      code: "SOURCE_CHANGED",
      details: { method: "corpus.load" },
    });
    await model.generate("One", { maxNewTokens: 1 });
  });

  test("what was closed stays closed, and what a handle of another kit means is refused", async () => {
    const { kit, kill } = await start();
    const model = await load(kit);
    const { corpus, task } = await hold(model);
    await corpus.close();
    kill();
    await expect(model.influence(corpus)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(calmModel.choices(task)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await model.choices(task);
  });
});

describe("what is not done again", () => {
  test("an export says where to look, and the next call works", async () => {
    const { kit } = await start();
    const model = await load(kit);
    const target = join(folder, "exported");
    const options = { format: "huggingface" } as const;
    dieAt(["export.huggingface", "report", 1]);
    await expect(model.without(["block.3"]).export(target, { ...options, ...dies })).rejects.toMatchObject({
      code: "WORKER_DIED",
      details: { folder: target },
    });
    await expect(model.without(["block.3"]).export(target, options)).resolves.toMatchObject({
      folder: target,
    });
  });

  test("a call under which two workers crash fails by its name, and others go on", async () => {
    const { kit, of } = await start();
    dieAt(["worker.sleep", "report", 1], ["worker.sleep", "report", 1]);
    const poison = kit.connection.call("worker.sleep", { seconds: 86_400 }, dies);
    const waiting = kit.connection.call("worker.sleep", { seconds: 0 });
    await expect(poison).rejects.toMatchObject({
      code: "WORKER_DIED",
      message: expect.stringContaining("worker.sleep was under way when its worker crashed, 2 times"),
      details: { crashes: 2, signal: "SIGKILL" },
    });
    await waiting;
    expect(of("exit")).toHaveLength(2);
  });

  test("a crash loop is given up with its reason", async () => {
    const { kit, of, kill } = await startKit({ restartLimit: { crashes: 3, seconds: 3_600 } });
    for (let crash = 0; crash < 3; crash += 1) {
      await kit.status();
      kill();
      if (crash < 2) await eventually(() => of("restart").length).toBe(crash + 1);
    }
    await expect(kit.exited).resolves.toMatchObject({ how: "crashed", signal: "SIGKILL" });
    await expect(kit.status()).rejects.toMatchObject({
      code: "WORKER_DIED",
      message: expect.stringContaining("crashed 3 times within"),
    });
    expect(of("give-up")).toMatchObject([{ error: { code: "WORKER_DIED" } }]);
  });
});

describe("what a kit tells", () => {
  test("how it ended: closed, or with signal and last words", async () => {
    const closed = await Depthkit.start();
    await closed.close();
    await expect(closed.exited).resolves.toMatchObject({ how: "closed", error: null });
    const crashed = await Depthkit.start();
    process.kill(crashed.pid, "SIGKILL");
    await expect(crashed.exited).resolves.toMatchObject({
      how: "crashed",
      signal: "SIGKILL",
      exitCode: null,
      error: { code: "WORKER_DIED" },
    });
    await crashed.close();
  });

  test("a logger of pino's shape hears of each event by its level", async () => {
    const lines: [string, string][] = [];
    const level = (name: string) => (fields: object, message: string) => {
      lines.push([name, message]);
      expect(fields).toHaveProperty("type");
    };
    const logger = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
    const { kit, kill } = await startKit({ logger });
    kill();
    await eventually(() => lines.filter(([name]) => name === "warn").length).toBe(1);
    await kit.close();
    expect(lines.flatMap(([name]) => (name === "debug" ? [] : name))).toEqual([
      "info",
      "error",
      "warn",
      "info",
    ]);
    expect(lines.find(([name]) => name === "error")?.[1]).toContain("SIGKILL");
  });

  test("a call's limit of time ends it in the worker too", async () => {
    await using kit = await Depthkit.start({ timeoutMs: 300 });
    const sleep = { seconds: 86_400 };
    await expect(kit.connection.call("worker.sleep", sleep, { timeoutMs: 1 })).rejects.toMatchObject({
      code: "TIMEOUT",
      details: { method: "worker.sleep", timeoutMs: 1 },
    });
    await expect(kit.connection.call("worker.sleep", sleep)).rejects.toMatchObject({ code: "TIMEOUT" });
    await eventually(async () => (await kit.status({ timeoutMs: 60_000 })).running).toBeNull();
  });

  test("a call of several steps has one limit for all, in place of the kit's; closing has none", async () => {
    await using kit = await Depthkit.start({ timeoutMs: 1 });
    const own = { timeoutMs: 3_600_000 };
    await using model = await kit.loadModel(tiny, { device: "cpu", ...own });
    await using corpus = await model.loadCorpus(prose("fox"), { sequences: 4, length: 64, ...own });
    const text = { fit: 1, choose: 1, length: 64 };
    await using _ = await model.splitText(prose("fox"), { ...text, ...own });
    await model.unitCosts(own);
    const evaluation = { kind: "perplexity", data: prose("heron"), chunk: 64 } as const;
    const [{ items }] = await model.evaluate([evaluation], own);
    expect(items).toBeGreaterThan(1);
    const found = await model.search({ strategy: "greedy", budget: 1, choose: corpus, ...own });
    expect(found.removed).toHaveLength(1);
    for (const [method, call] of [
      ["evaluate", () => model.evaluate([evaluation], { timeoutMs: 1 })],
      ["search", () => model.search({ strategy: "greedy", budget: 1, choose: corpus, timeoutMs: 1 })],
      ["splitText", () => model.splitText(prose("crow"), { ...text, timeoutMs: 1 })],
      ["evaluation.perplexity", () => model.perplexity(prose("crow"), { chunk: 64 })],
    ] as const) {
      await expect(call()).rejects.toMatchObject({ code: "TIMEOUT", details: { method } });
    }
  });
});
