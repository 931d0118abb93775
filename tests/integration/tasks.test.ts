import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Depthkit, type Model, type Progress } from "../../src/index.ts";
import { estimateShapley } from "../../src/shapley/index.ts";
import { dataFile, describeWithSharedData } from "./shared-data.ts";

const rows = [
  { topic: "sky", question: "What colour is a clear sky by day", options: ["blue", "green"], right: 0 },
  { topic: "sky", question: "What shines at night", options: ["the moon", "the sun"], right: "the moon" },
  { topic: "sea", question: "What lives in the sea", options: ["birds", "cats", "fish"], right: 2 },
];
const template = {
  prompt: "Question: {question}?\nAnswer:",
  choices: "options",
  answer: "right",
  group: "topic",
};

let kit: Depthkit;
let model: Model;
let folder: string;
let file: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-tasks-"));
  file = join(folder, "task.jsonl");
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu", dtype: "float32" });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a task of one's own", () => {
  test("is scored item by item, whole and pruned, the same by every way that leads there", async () => {
    await using task = await model.loadTask(file, { format: template });
    expect(task.info).toMatchObject({
      kind: "choices",
      format: "template",
      items: 3,
      groups: ["sky", "sea"],
      bosAdded: false,
      itemsCut: 0,
      shotsDropped: 0,
    });
    const progress: Progress[] = [];
    const pruned = model.without(["block.14", "attention.3"]);
    const scores = await pruned.choices(task, {
      items: true,
      compareToDense: true,
      onProgress: (report) => progress.push(report),
    });
    expect(scores.perItem?.map(({ logLikelihoods }) => logLikelihoods.length)).toEqual([2, 2, 3]);
    expect(scores.perItem?.map(({ answer }) => answer)).toEqual([0, 0, 2]);
    const right = scores.perItem?.filter(({ chosen, answer }) => chosen === answer).length;
    expect(scores.acc.micro).toBeCloseTo((right ?? 0) / 3, 12);
    expect(scores.groups.map(({ name, items }) => [name, items])).toEqual([
      ["sky", 2],
      ["sea", 1],
    ]);
    const { comparison } = scores;
    expect(
      (comparison?.bothRight ?? 0) +
        (comparison?.onlyDenseRight ?? 0) +
        (comparison?.onlySubnetworkRight ?? 0) +
        (comparison?.bothWrong ?? 0),
    ).toBe(3);
    expect(progress.some(({ phase }) => phase === "dense choices")).toBe(true);

    const dense = await model.choices(task);
    expect(dense.comparison).toBeUndefined();
    expect(dense.perItem).toBeUndefined();
    expect(comparison?.denseAcc).toBe(dense.acc.micro);
    const own = (await model.choices(task, { compareToDense: true })).comparison;
    expect([own?.stability, own?.retained]).toEqual([1, dense.acc.micro === 0 ? null : 100]);
    const together = await model.evaluateSubnetworks(task, [[], pruned], {
      measures: ["accuracy", "choice-loss"],
    }).result;
    expect(together.counts).toEqual([3, 3]);
    for (const [index, own] of [dense, scores].entries()) {
      expect(together.scores[index]?.values.accuracy).toBe(own.acc.micro);
      expect(together.scores[index]?.values["choice-loss"]).toBeCloseTo(own.choiceLoss, 5);
    }
  });

  test("is a game, whose journal knows the task by its digest", async () => {
    const play = async (limit: number) => {
      await using task = await model.loadTask(file, { format: template, limit });
      const value = ["accuracy", "choice-loss"] as const;
      await using game = await model.game(task, { groups: 3, value, journal: join(folder, "journal") });
      const result = await estimateShapley(game, {
        method: "exact",
        target: { horizon: 1 },
        evaluations: 8,
      });
      expect(result.players("choice-loss")).toHaveLength(3);
      return game.counts.evaluated;
    };
    expect(await play(3)).toBeGreaterThan(0);
    expect(await play(3)).toBe(0);
    expect(await play(2)).toBeGreaterThan(0);
  });

  test("what does not fit is refused with the place and what to do", async () => {
    await expect(model.loadTask(file)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { line: 1, field: "task" },
    });
    await expect(model.loadTask(file, { format: { ...template, answer: "question" } })).rejects.toMatchObject(
      { code: "INVALID_ARGUMENT", details: { line: 1 } },
    );
    await expect(model.loadTask(join(folder, "no.jsonl"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(model.loadTask(file, { format: template, shots: 6 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const task = await model.loadTask(file, { format: template });
    await expect(model.lastWord(task)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(model.evaluateSubnetworks(task, [[]], { measures: ["kl"] }).result).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await task.close();
    await expect(model.choices(task)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describeWithSharedData("real tasks", () => {
  test("a cancel stops the worker", async () => {
    await using task = await model.loadTask(dataFile("mmlu_test.jsonl"), {
      limit: 60,
      shots: 5,
      shotsFrom: dataFile("mmlu_dev.jsonl"),
    });
    expect(task.info).toMatchObject({ format: "mmlu", items: 60, rows: 14042, singleToken: 60, shots: 5 });
    const controller = new AbortController();
    const scoring = model.choices(task, {
      batchSize: 1,
      signal: controller.signal,
      onProgress: ({ done }) => done > 0 && controller.abort(),
    });
    await expect(scoring).rejects.toMatchObject({ code: "CANCELLED" });
    await expect.poll(async () => (await kit.status()).running, { timeout: 3_600_000 }).toBeNull();
  });

  test("last words are read off as greedy decoding writes them", async () => {
    await using task = await model.loadTask(dataFile("lambada_openai.jsonl"), { limit: 4 });
    const scores = await model.lastWord(task, { items: true });
    expect(scores.items).toBe(4);
    const mean = (scores.perItem ?? []).reduce((sum, { logLikelihood }) => sum + logLikelihood, 0) / 4;
    expect(scores.perplexity).toBeCloseTo(Math.exp(-mean), 6);
    expect(scores.acc).toBe((scores.perItem ?? []).filter(({ right }) => right).length / 4);
    const one = await model.lastWord(task, { batchSize: 1, items: true });
    for (const [item, { logLikelihood, right }] of (scores.perItem ?? []).entries()) {
      expect(one.perItem?.[item]?.right).toBe(right);
      expect(Math.abs((one.perItem?.[item]?.logLikelihood ?? 0) - logLikelihood)).toBeLessThan(1e-4);
    }
  });
});
