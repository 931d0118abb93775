/** What the worker holds for us: whose it is, when it is gone, and that closing never adds a fault. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Corpus, Depthkit, type GenerationTask, type Model, type Task } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

let folder: string;
let tiny: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-handles-"));
  tiny = await tinyModel(folder, "", { blocks: 30 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const prose = (subject: string) => ({
  texts: Array.from({ length: 40 }, (_, line) => `On day ${line} the ${subject} counted ${line * 7} stones.`),
});
const rows = Array.from({ length: 3 }, (_, n) => ({
  question: `What is ${n} plus ${n}?`,
  choices: [`${2 * n}`, `${2 * n + 1}`],
  right: 0,
  answer: `${2 * n}`,
}));

interface Held {
  kit: Depthkit;
  model: Model;
  corpus: Corpus;
  task: Task;
  sums: GenerationTask;
}

async function hold(subject: string): Promise<Held> {
  const kit = await Depthkit.start();
  const model = await kit.loadModel(tiny, { device: "cpu" });
  return {
    kit,
    model,
    corpus: await model.loadCorpus(prose(subject), { sequences: 2, length: 32 }),
    task: await model.loadTask(
      { rows },
      { format: { prompt: "{question}", choices: "choices", answer: "right" } },
    ),
    sums: await model.loadGenerationTask({ rows }, { prompt: "{question}" }),
  };
}

/** Every call that takes something which a worker holds. */
const calls: [string, (model: Model, held: Held) => Promise<unknown>][] = [
  ["influence", (model, { corpus }) => model.influence(corpus)],
  ["repair", (model, { corpus }) => model.without(["block.3"]).repair(corpus, { method: "fold" })],
  ["evaluateSubnetworks", (model, { corpus }) => model.evaluateSubnetworks(corpus, [[]]).result],
  ["evaluateSubnetworks on a task", (model, { task }) => model.evaluateSubnetworks(task, [[]]).result],
  ["choices", (model, { task }) => model.choices(task)],
  ["lastWord", (model, { task }) => model.lastWord(task)],
  ["solve", (model, { sums }) => model.solve(sums)],
  ["evaluate", (model, { task }) => model.evaluate([{ kind: "choices", task }])],
  [
    "a game",
    async (model, { corpus }) => {
      const game = await model.game(corpus);
      const { Coalition } = await import("../../src/game/coalition.ts");
      return game.evaluate([Coalition.full(30)]);
    },
  ],
];

describe("a handle knows its worker", () => {
  let mine: Held;
  let other: Held;
  beforeAll(async () => {
    [mine, other] = await Promise.all([hold("fox"), hold("miller")]);
  });
  afterAll(() => Promise.all([mine.kit.close(), other.kit.close()]));

  test.each(calls)("%s refuses what another worker holds", async (_, call) => {
    await expect(call(other.model, mine)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("another worker"),
    });
  });

  test("repairs of another worker are refused, whoever names them", async () => {
    const { repairs } = await mine.model.without(["block.3"]).repair(mine.corpus, { method: "fold" });
    const asked = other.model.evaluateSubnetworks(other.corpus, [["block.3"]], { repairs });
    await expect(asked.result).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await using game = await other.model.game(other.corpus, { repairs });
    const { Coalition } = await import("../../src/game/coalition.ts");
    await expect(game.evaluate([Coalition.full(30)])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("closed is CLOSED, and closing again is done already", async () => {
    const corpus = await mine.model.loadCorpus(prose("heron"), { sequences: 1, length: 16 });
    await corpus.close();
    await corpus.close();
    await expect(mine.model.influence(corpus)).rejects.toMatchObject({ code: "CLOSED" });
    expect(JSON.stringify([corpus.info, mine.model.info, mine.task.info])).not.toMatch(
      /"(model|corpus|task)-/,
    );
  });
});

test("after a crash a kept handle is CLOSED, and closing everything is silent", async () => {
  const gone = await hold("fox");
  const game = await gone.model.game(gone.corpus);
  const repaired = await gone.model.without(["block.3"]).repair(gone.corpus, { method: "fold" });
  process.kill(gone.kit.pid, "SIGKILL");
  await expect(gone.model.influence(gone.corpus)).rejects.toMatchObject({ code: "WORKER_DIED" });
  const next = await hold("miller");
  try {
    for (const [, call] of calls) {
      await expect(call(next.model, gone)).rejects.toMatchObject({ code: "CLOSED" });
    }
    const { kit, model, corpus, task, sums } = gone;
    for (const handle of [game, repaired, ...repaired.repairs, sums, task, corpus, model, kit]) {
      await handle.close();
      await handle[Symbol.asyncDispose]();
    }
  } finally {
    await next.kit.close();
  }
});

test("a worker that dies under `await using` is told by its own error", async () => {
  const work = async () => {
    await using kit = await Depthkit.start();
    await using model = await kit.loadModel(tiny, { device: "cpu" });
    await using corpus = await model.loadCorpus(prose("fox"), { sequences: 2, length: 32 });
    await using _game = await model.game(corpus);
    process.kill(kit.pid, "SIGKILL");
    return await model.influence(corpus);
  };
  await expect(work()).rejects.toMatchObject({
    name: "DepthkitError",
    code: "WORKER_DIED",
    details: { signal: "SIGKILL" },
  });
});

describe("repairs are given back", () => {
  let held: Held;
  beforeAll(async () => {
    held = await hold("fox");
  });
  afterAll(() => held.kit.close());
  const repairs = async () => (await held.kit.status()).repairs;

  test("when their subnetwork is closed; what it was made on keeps its own", async () => {
    const base = await held.model.without(["block.3", "block.9"]).repair(held.corpus, { method: "fold" });
    const healed = await base.repair(held.corpus, {
      method: "lora",
      rank: 1,
      training: { steps: 1, validation: 0 },
    });
    expect(await repairs()).toBe(3);
    await healed.close();
    expect(await repairs()).toBe(2);
    await expect(healed.generate("x", { maxNewTokens: 1 })).rejects.toMatchObject({ code: "CLOSED" });
    await base.generate("x", { maxNewTokens: 1 });
    await base.close();
    expect(await repairs()).toBe(0);
  });

  test("when nobody has them any more", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await (async () => {
      await held.model.without(["block.3"]).repair(held.corpus, { method: "emulated-update" });
    })();
    expect(await repairs()).toBe(1);
    await expect
      .poll(
        () => {
          collect();
          return repairs();
        },
        { timeout: 3_600_000, interval: 100 },
      )
      .toBe(0);
  });

  test("with their model", async () => {
    const model = await held.kit.loadModel(tiny, { device: "cpu" });
    const corpus = await model.loadCorpus(prose("heron"), { sequences: 1, length: 16 });
    const repaired = await model.without(["block.3"]).repair(corpus, { method: "fold" });
    expect(await repairs()).toBe(1);
    await model.close();
    expect(await repairs()).toBe(0);
    await repaired.close();
  });
});
