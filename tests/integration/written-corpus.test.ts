/** A corpus that a tiny model writes: kept, gone on with, trained on, and there again after a crash. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Corpus, Depthkit, type Model, type Progress } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

let kit: Depthkit;
let model: Model;
let prompts: Corpus;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-written-"));
  kit = await Depthkit.start({ restart: "on-crash" });
  model = await kit.loadModel(await tinyModel(folder), { device: "cpu" });
  const text = Array.from({ length: 80 }, (_, index) => `Line ${index ** 2} of the text.`).join(" ");
  prompts = await model.loadCorpus({ texts: [text] }, { length: 16, sequences: 6 });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

const asked = { promptTokens: 8, newTokens: 10, batchSize: 2 } as const;

test("it says who wrote it and how, and is what generation writes", async () => {
  await using written = await model.writeCorpus(prompts, asked);
  const { info } = written;
  expect(info.written).toMatchObject({
    weights: model.info.weightsDigest,
    prompts: prompts.info.tokensDigest,
    promptTokens: 8,
    newTokens: 10,
    temperature: 0,
    seed: 0,
  });
  expect(info).toMatchObject({ sequences: 6, packing: "none", data: prompts.info.data });
  expect(info.tokens).toBe(6 * 8 + (info.written?.tokens ?? Number.NaN));
  expect(prompts.info.written).toBeNull();
  const [first] = info.firstTokens;
  expect(first).toEqual(prompts.info.firstTokens[0]);
});

test("a cancelled writing goes on where it was, and a finished one is not done again", async () => {
  const journal = join(folder, "journal");
  const sampled = { ...asked, temperature: 1.2, seed: 5 };
  await using whole = await model.writeCorpus(prompts, sampled);
  const stop = new AbortController();
  const onProgress = ({ phase, done }: Progress) => {
    if (phase === "writing" && done >= 2) stop.abort();
  };
  const options = { ...sampled, journal };
  await expect(
    model.writeCorpus(prompts, { ...options, batchSize: 1, signal: stop.signal, onProgress }),
  ).rejects.toMatchObject({ code: "CANCELLED" });
  const seen: Progress[] = [];
  await using resumed = await model.writeCorpus(prompts, { ...options, onProgress: (one) => seen.push(one) });
  expect(resumed.info).toEqual(whole.info);
  expect(readdirSync(journal)).toHaveLength(1);
  seen.length = 0;
  await using known = await model.writeCorpus(prompts, { ...options, onProgress: (one) => seen.push(one) });
  expect(known.info).toEqual(whole.info);
  expect(seen.filter(({ phase }) => phase === "writing")).toEqual([]);
  // What is asked for otherwise is kept apart.
  await using other = await model.writeCorpus(prompts, { ...options, seed: 6 });
  expect(other.info.tokensDigest).not.toBe(whole.info.tokensDigest);
  expect(readdirSync(journal)).toHaveLength(2);
});

test("repairs are trained on what was written, and say so", async () => {
  await using written = await model.writeCorpus(prompts, { ...asked, newTokens: 24 });
  const training = { steps: 8, learningRate: 0.02, validation: 1, writtenOnly: true } as const;
  for (const repair of [
    { method: "lora", training: { ...training, objective: { kl: 0, loss: 1 } } },
    { method: "low-rank", rank: 2, training },
    { method: "partial", training },
  ] as const) {
    await using repaired = await model.without(["block.2"]).repair(written, repair);
    const { notes, training: report } = repaired.report;
    expect(notes[0]).toMatch(
      /^the corpus was written by this model itself, greedily: \d+ of its \d+ tokens$/,
    );
    expect(report?.steps).toBe(8);
  }
  await expect(
    model.without(["block.2"]).repair(prompts, { method: "bias", training: { writtenOnly: true } }),
  ).rejects.toThrow("no model wrote this corpus");
});

test("it is there again in a new worker", async () => {
  await using written = await model.writeCorpus(prompts, { ...asked, temperature: 0.8 });
  const loss = async () => (await model.evaluateSubnetworks(written, [[]]).result).scores[0]?.values.loss;
  const before = await loss();
  process.kill(kit.pid, "SIGKILL");
  expect(await loss()).toBe(before);
});
