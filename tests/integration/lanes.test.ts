/** Light calls beside a long one, the places of calls that wait, and what must stay in order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Depthkit, type Model, type Progress } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 3_600_000, interval: 50 });
const prose = (lines: number) => ({
  texts: Array.from({ length: lines }, (_, line) => `On day ${line} the fox counted ${line * 7} stones.`),
});
const rows = [{ question: "What is one plus one?", choices: ["two", "three"], right: 0, answer: "two" }];
const format = { prompt: "{question}", choices: "choices", answer: "right" };

let kit: Depthkit;
let model: Model;
let tiny: string;
beforeAll(async () => {
  tiny = await tinyModel(mkdtempSync(join(tmpdir(), "depthkit-lanes-")));
  kit = await Depthkit.start();
  model = await load();
});
afterAll(async () => {
  await kit.close();
  rmSync(dirname(tiny), { recursive: true, force: true });
});
const load = () => kit.loadModel(tiny, { device: "cpu" });

/** A call that computes until it is stopped, once it has begun. */
async function longCall() {
  const controller = new AbortController();
  let begun: () => void = () => {};
  const underWay = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const call = kit.connection
    .call("worker.sleep", { seconds: 86_400 }, { signal: controller.signal, onProgress: () => begun() })
    .catch(() => {});
  await underWay;
  const stop = async () => {
    controller.abort();
    await call;
  };
  onTestFinished(stop); // a test that fails leaves the worker to the next
  return { stop };
}

test("reading and tokenising do not wait for a long computation, and give the same", async () => {
  const load = () =>
    Promise.all([
      model.loadCorpus(prose(40), { sequences: 2, length: 64 }),
      model.loadTask({ rows }, { format }),
      model.loadGenerationTask({ rows }, { prompt: "{question}" }),
    ]);
  const alone = await load();
  const { stop } = await longCall();
  const beside = await load();
  await eventually(() => kit.status()).toMatchObject({ running: "worker.sleep", reading: null, queued: 0 });
  await stop();
  expect(beside.map(({ info }) => info)).toEqual(alone.map(({ info }) => info));
  expect(JSON.stringify(await model.influence(beside[0]))).toContain("angular");
});

test("a light call is cancelled beside a long one", async () => {
  const { stop } = await longCall();
  const controller = new AbortController();
  const corpus = model.loadCorpus(prose(20_000), {
    length: 64,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(corpus).rejects.toMatchObject({ code: "CANCELLED" });
  await eventually(async () => (await kit.status()).reading).toBeNull();
  expect((await kit.status()).running).toBe("worker.sleep");
  await stop();
});

test("both threads tokenise at once with one model's tokenizer", async () => {
  const text = prose(3_000);
  const perplexity = () => model.perplexity(text, { chunk: 64, maxChunks: 1 });
  const corpus = () => model.loadCorpus(text, { sequences: 8, length: 64 });
  const expected = [(await perplexity()).loss, (await corpus()).info.tokensDigest];
  const other = prose(3_001); // the worker keeps the last text
  await model.perplexity(other, { chunk: 64, maxChunks: 1 });
  const [{ loss }, ...corpora] = await Promise.all([perplexity(), corpus(), corpus(), corpus()]);
  for (const { info } of corpora) expect([loss, info.tokensDigest]).toEqual(expected);
});

describe("a call that waits", () => {
  const sleep = (onProgress: (progress: Progress) => void, signal?: AbortSignal) =>
    kit.connection.call("worker.sleep", { seconds: 0.001 }, { onProgress, signal });

  test("hears how many calls ahead of it are done, until it begins", async () => {
    const { stop } = await longCall();
    const heard: Progress[] = [];
    const given = new AbortController();
    const first = sleep(() => {});
    const second = sleep(() => {}, given.signal).catch(() => {});
    const third = sleep((progress) => heard.push(progress));
    await eventually(() => heard.at(-1)).toMatchObject({ phase: "queued", done: 0, total: 3, unit: "calls" });
    expect((await kit.status()).queued).toBe(3);
    given.abort();
    await eventually(() => heard.at(-1)).toMatchObject({ phase: "queued", done: 1, total: 3 });
    expect((await kit.status()).queued).toBe(2);
    await stop();
    await Promise.all([first, second, third]);
    const places = heard.filter(({ phase }) => phase === "queued").map(({ done }) => done);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places.at(-1)).toBe(3);
    expect(heard.at(-1)?.phase).toBe("sleeping");
  });

  test("says nothing of a queue where nobody is ahead of it", async () => {
    const heard: Progress[] = [];
    await sleep((progress) => heard.push(progress));
    expect(heard.map(({ phase }) => phase)).not.toContain("queued");
  });
});

describe("in order stay", () => {
  test("what is asked of a corpus, and its closing", async () => {
    const corpus = await model.loadCorpus(prose(40), { sequences: 2, length: 64 });
    const { stop } = await longCall();
    const influence = model.influence(corpus);
    const closing = corpus.close();
    await stop();
    await influence;
    await closing;
  });

  test("what a model reads for, and its closing", async () => {
    const model = await load();
    const texts = [1, 2, 3].map((more) => prose(1_000 + more));
    const corpora = texts.map((text) => model.loadCorpus(text, { sequences: 2, length: 64 }));
    const closing = model.close();
    for (const corpus of corpora) expect((await corpus).info.sequences).toBe(2);
    await closing;
  });

  test("a profile, which takes the time, and what would run beside it", async () => {
    const heard: string[] = [];
    let reading: Promise<unknown> | undefined;
    const profile = model.profile({
      rounds: 1,
      promptTokens: 16,
      contextTokens: 8,
      newTokens: 4,
      batchSizes: [1],
      onProgress: ({ phase }) => {
        heard.push(`profile: ${phase}`);
        reading ??= model
          .loadCorpus(prose(40), {
            sequences: 1,
            length: 16,
            onProgress: ({ phase: own }) => heard.push(own),
          })
          .then(() => heard.push("read"));
      },
    });
    await profile;
    await reading;
    expect(heard).toContain("queued");
    expect(heard.indexOf("read")).toBeGreaterThan(
      heard.findLastIndex((phase) => phase.startsWith("profile: ")),
    );
  });
});
