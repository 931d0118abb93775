import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Depthkit, type Model } from "../../src/index.ts";

let kit: Depthkit;
let model: Model;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-evaluation-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a profile: what is counted is exact, what is timed is in turn with the dense model", async () => {
  const attentions = Array.from({ length: 10 }, (_, index) => `attention.${3 * index}`);
  const { dense, masked, physical, ...protocol } = await model.without([...attentions, "block.29"]).profile({
    promptTokens: 16,
    contextTokens: 4,
    newTokens: 2,
    batchSizes: [1, 2],
    rounds: 1,
    warmupRounds: 0,
  });
  expect(protocol).toMatchObject({ device: "cpu", memoryCountedBy: "tensors", rounds: 1 });
  expect(dense.parameters).toBe(model.info.parameters);
  expect(masked?.parameters).toBe(dense.parameters);
  expect(physical?.blocks).toBe(29);
  // q and o of 576 x 576, k and v of 192 x 576; a block has its two norms and 3 x 576 x 1536 more.
  const attention = 2 * 576 * 576 + 2 * 192 * 576;
  const block = attention + 3 * 576 * 1536 + 2 * 576;
  expect(dense.parameters - (physical?.parameters ?? 0)).toBe(10 * attention + block);
  expect(dense.storedBytes - (physical?.storedBytes ?? 0)).toBe(
    (10 * attention + block) * (dense.storedBytes / dense.parameters),
  );
  expect(dense.kvBytesPerToken).toBe(30 * 2 * 3 * 64 * 4);
  expect(masked?.kvBytesPerToken).toBe(19 * 2 * 3 * 64 * 4);
  expect(physical?.kvBytesPerToken).toBe(19 * 2 * 3 * 64 * 4);
  expect(physical?.decode.map(({ batchSize }) => batchSize)).toEqual([1, 2]);
  expect(physical?.peakBytes).toBeLessThan(dense.peakBytes);
});

test("a generation task is answered in batches as it is one by one", async () => {
  const file = join(folder, "sums.jsonl");
  const records = [3, 4, 5, 6].map((n) => ({
    question: `${n} plus 1`,
    answer: `${n} + 1 = ${n + 1}\n#### ${n + 1}`,
  }));
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join("\n"));
  await using task = await model.loadGenerationTask(file, {
    prompt: "Q: {question}\nA:",
    score: "number",
    shots: 2,
  });
  expect(task.info).toMatchObject({ items: 2, shots: 2, score: "number" });
  expect(task.info.firstPrompt).toBe(
    "Q: 3 plus 1\nA: 3 + 1 = 4\n#### 4\n\nQ: 4 plus 1\nA: 4 + 1 = 5\n#### 5\n\nQ: 5 plus 1\nA:",
  );
  const subnetwork = model.without(["attention.20"]);
  const together = await subnetwork.solve(task, { maxNewTokens: 12, items: true });
  const alone = await subnetwork.solve(task, { maxNewTokens: 12, items: true, batchSize: 1 });
  expect(together.perItem).toEqual(alone.perItem);
  expect(together).toMatchObject({ items: 2, stop: ["\n\n"], taskDigest: task.info.digest, batchSize: 8 });
  expect(together.accuracy).toBe(together.correct / 2);
  expect(together.tokens).toBeGreaterThan(0);
});

test("text is told as it is written, of each prompt in turn, and a cancel stops it", async () => {
  const prompts = ["The three primary colours are", "One, two, three, four,"];
  const told = ["", ""];
  const order: number[] = [];
  const { generations } = await model.generate(prompts, {
    maxNewTokens: 12,
    onText: ({ prompt, text }) => {
      told[prompt] += text;
      order.push(prompt);
    },
  });
  expect(told).toEqual(generations.map(({ text }) => text));
  expect(order.filter((prompt) => prompt === 1).length).toBeGreaterThan(6);
  expect(order).toEqual(order.toSorted());

  const abort = new AbortController();
  let pieces = 0;
  const long = model.generate("Once upon a time", {
    maxNewTokens: 2000,
    signal: abort.signal,
    onText: () => {
      pieces += 1;
      if (pieces === 3) abort.abort();
    },
  });
  await expect(long).rejects.toMatchObject({ code: "CANCELLED" });
  expect(pieces).toBe(3);
  // The worker is free: it does not go on to the end of the two thousand.
  expect((await model.generate("One", { maxNewTokens: 1 })).generations).toHaveLength(1);
  await expect(model.generate("One", { onText: "loud" as never })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("onText"),
  });
});

test("lm-eval is an extra: without it the command to install it is named", async () => {
  const call = model.without([]).lmEval({ tasks: ["local"], includePath: folder });
  // Where it is installed, the task is what is missing.
  await expect(call).rejects.toMatchObject({
    code: expect.stringMatching(/^(MODULE_MISSING|INVALID_ARGUMENT)$/),
  });
});
