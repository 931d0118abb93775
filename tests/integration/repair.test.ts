/** Repairs end to end: fitted, scored by the engine and alone, composed, saved, loaded, refused, compared. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Corpus, compareRepairs, Depthkit, type Model, type Subnetwork } from "../../src/index.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

const prose = (subject: string) =>
  Array.from(
    { length: 60 },
    (_, line) =>
      `On day ${line} the ${subject} went down to the water and came back with ${line * 7} stones.`,
  ).join("\n");
const unseen = { texts: [prose("old woman")] };

let folder: string;
let kit: Depthkit;
let model: Model;
let corpus: Corpus;
let pruned: Subnetwork;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-repair-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  corpus = await model.loadCorpus({ texts: [prose("fox"), prose("miller")] }, { sequences: 8, length: 64 });
  pruned = model.without(["block.20", "block.21", "attention.25"]);
}, 180_000);
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

const lossOf = async (subnetwork: Subnetwork) =>
  (await subnetwork.perplexity(unseen, { chunk: 128, maxChunks: 2 })).loss;

test("a repair fills each gap; engine and perplexity agree on it; the dense weights stay", async () => {
  const repaired = await pruned.repair(corpus, { method: "low-rank", rank: 16 });
  expect(repaired.repairs.map(({ removed }) => removed)).toEqual([
    ["block.20", "block.21"],
    ["attention.25"],
  ]);
  expect(repaired.report).toMatchObject({
    weightsUnchanged: true,
    sequences: 8,
    tokens: 512,
    training: null,
  });
  for (const gap of repaired.report.gaps) expect(gap.repairedError).toBeLessThan(gap.removedError);
  expect(repaired.repairs[0]?.parameters).toBe(2 * 16 * 576 + 576);

  await using text = await model.loadCorpus(unseen, { sequences: 2, length: 128 });
  const { scores } = await model.evaluateSubnetworks(text, [[], pruned, repaired]).result;
  const [, removed, fixed] = scores.map(({ values }) => values.loss ?? Number.NaN);
  expect(fixed).toBeCloseTo(await lossOf(repaired), 4);
  expect(removed).toBeCloseTo(await lossOf(pruned), 4);
  expect(fixed).toBeLessThan(removed as number);

  const { generations } = await repaired.generate("The fox", { maxNewTokens: 5 });
  const uncached = await repaired.generate("The fox", { maxNewTokens: 5, cache: false });
  expect(generations).toEqual(uncached.generations);
});

test("repairs add up, are saved and loaded, and apply wherever their units are removed", async () => {
  const emulated = await pruned.repair(corpus, { method: "emulated-update" });
  const healed = await emulated.repair(corpus, {
    method: "lora",
    rank: 2,
    training: { steps: 2, validation: 0, batchSize: 2 },
  });
  expect(healed.repairs).toHaveLength(3);
  expect(healed.report.training).toMatchObject({ steps: 2, stopped: "steps" });
  expect(healed.report.training?.change).toBeGreaterThan(0);

  const saved = join(folder, "healed");
  await healed.save(saved);
  await expect(healed.save(saved)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  await healed.save(saved, { overwrite: true });
  expect(readdirSync(folder)).toEqual(["healed"]);
  const loaded = await model.loadSubnetwork(saved);
  expect(loaded.removed).toEqual(healed.removed);
  expect(loaded.repairs.map(({ digest }) => digest)).toEqual(healed.repairs.map(({ digest }) => digest));
  expect(await lossOf(loaded)).toBe(await lossOf(healed));

  const one = model.without(["attention.25"]);
  const everywhere = await model.evaluateSubnetworks(corpus, [one], { repairs: emulated.repairs }).result;
  const own = await model.evaluateSubnetworks(corpus, [
    await one.repair(corpus, { method: "emulated-update" }),
  ]).result;
  expect(everywhere.scores[0]?.values.loss).toBeCloseTo(own.scores[0]?.values.loss ?? Number.NaN, 6);

  truncateSync(join(saved, "repair.safetensors"), 100);
  await expect(model.loadSubnetwork(saved)).rejects.toMatchObject({ code: "MODEL_INVALID" });
}, 180_000);

test("scale adds nothing, says its factors and becomes a plain checkpoint", async () => {
  const apart = model.without(["block.14", "block.17"]);
  const scaled = await apart.repair(corpus, { method: "scale", ratio: "median" });
  expect(scaled.repairs.map(({ parameters }) => parameters)).toEqual([0, 0]);
  const factors = scaled.report.gaps.map(({ factor }) => factor);
  for (const factor of factors) expect(factor).toBeGreaterThan(1);
  const exported = await scaled.export(join(folder, "scaled"), { format: "huggingface", dtype: "float32" });
  expect(exported.layout).toBe("plain");
  expect(exported.parametersBefore - exported.parametersAfter).toBe(2 * 3_540_096);
  expect(exported.maxLogitDifference).toBeLessThan(1e-3);
}, 180_000);

test("ridge auto says which ridge each gap took, and its error on held-out tokens", async () => {
  const { report } = await pruned.repair(corpus, { method: "low-rank", rank: 4, ridge: "auto" });
  for (const { ridge, heldOutError, repairedError } of report.gaps) {
    expect(ridge).toBeGreaterThan(0);
    expect(heldOutError).toBeGreaterThan(repairedError);
  }
});

test("partial tunes blocks and a tied head, which the engine scores beside the dense model", async () => {
  // Small: Adam has two numbers for each of the head's, which are most of the bundled model's memory.
  const parent = mkdtempSync(join(tmpdir(), "depthkit-partial-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  await using small = await kit.loadModel(await tinyModel(parent, LIVELY), { device: "cpu" });
  await using calibration = await small.loadCorpus({ texts: [prose("fox")] }, { sequences: 8, length: 64 });
  const shorter = small.without(["block.2", "block.3", "attention.5"]);
  const tuned = await shorter.repair(calibration, {
    method: "partial",
    count: 1,
    training: { steps: 2, validation: 0, batchSize: 2 },
  });
  expect(tuned.report).toMatchObject({ weightsUnchanged: true, training: { steps: 2 } });
  const { units } = await small.unitCosts();
  const head = 49_152 * 32;
  expect(tuned.report.training?.trained).toBe((units["feed-forward.5"]?.parameters ?? 0) + head);
  expect(tuned.repairs.map(({ parameters }) => parameters)).toEqual([head]);
  await using text = await small.loadCorpus(unseen, { sequences: 2, length: 128 });
  const { scores } = await small.evaluateSubnetworks(text, [[], shorter, tuned]).result;
  const [, removed, fixed] = scores.map(({ values }) => values.loss ?? Number.NaN);
  expect(removed).toBeCloseTo(await lossOf(shorter), 4);
  expect(fixed).toBeCloseTo(await lossOf(tuned), 4);
  expect(fixed).not.toBe(removed);
});

test("an adapter of peft's is a repair of the whole model, beside its weights", async () => {
  const adapter = join(folder, "adapter");
  mkdirSync(adapter);
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    r: 1,
    lora_alpha: 1,
    target_modules: ["down_proj"],
  };
  writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify(config));
  const name = "base_model.model.model.layers.3.mlp.down_proj";
  writeFileSync(
    join(adapter, "adapter_model.safetensors"),
    safetensors({ [`${name}.lora_A.weight`]: [1, 1536], [`${name}.lora_B.weight`]: [576, 1] }),
  );
  const changed = await model.loadSubnetwork(adapter);
  expect(changed.removed).toEqual([]);
  expect(changed.repairs.map(({ method, removed }) => [method, removed])).toEqual([["lora", []]]);
  const { scores } = await model.evaluateSubnetworks(corpus, [[], changed, changed.without(["block.3"])])
    .result;
  const [dense, beside, gone] = scores.map(({ values }) => values.loss ?? Number.NaN);
  expect(Math.abs((beside ?? 0) - (dense ?? 0))).toBeGreaterThan(1e-3);
  // What it changed is gone with its block.
  const { scores: bare } = await model.evaluateSubnetworks(corpus, [["block.3"]]).result;
  expect(gone).toBe(bare[0]?.values.loss);
  expect(await lossOf(model.without([]))).not.toBe(await lossOf(changed));
  rmSync(adapter, { recursive: true });
}, 180_000);

/** A file of float32 tensors of the given shapes, every number 0.1. */
function safetensors(shapes: Readonly<Record<string, readonly number[]>>): Buffer {
  let end = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.from(new Float32Array(end / 4).fill(0.1).buffer)]);
}

test("what cannot be is refused in words that help", async () => {
  await expect(model.without([]).repair(corpus, { method: "emulated-update" })).rejects.toThrow(
    /Nothing is left for emulated-update to repair/,
  );
  await expect(pruned.repair(corpus, { method: "voodoo" } as never)).rejects.toThrow(
    /methods: emulated-update, bias/,
  );
  await expect(model.loadSubnetwork(join(folder, "nowhere"))).rejects.toMatchObject({
    code: "FILE_NOT_FOUND",
  });
  await expect(model.without(["block.3"]).repair(corpus, { method: "low-rank", rank: 577 })).rejects.toThrow(
    /1 to 576/,
  );
});

test("a training is cancelled, and goes on from its checkpoint", async () => {
  const checkpoints = join(folder, "checkpoints");
  const controller = new AbortController();
  const training = { steps: 10, validation: 0, batchSize: 2, folder: checkpoints, saveEvery: 2 };
  let seen = 0;
  const started = pruned.repair(corpus, {
    method: "bias",
    training,
    signal: controller.signal,
    onTraining: ({ step }) => {
      seen = step;
      if (step >= 4) controller.abort();
    },
  });
  await expect(started).rejects.toMatchObject({ code: "CANCELLED" });
  await kit.connection.call("worker.sleep", { seconds: 0 });
  expect(existsSync(checkpoints)).toBe(true);
  expect(seen).toBeGreaterThanOrEqual(4);
  const resumed = await pruned.repair(corpus, { method: "bias", training });
  expect(resumed.report.training?.resumedFrom).toBeGreaterThanOrEqual(4);
  expect(resumed.report.training?.steps).toBe(10);
}, 240_000);

test("a repair that does not apply is a row with its error, and the next is made", async () => {
  const comparison = await compareRepairs(model.without(["block.0"]), corpus, {
    repairs: [
      { name: "fold", steps: [{ method: "fold" }] },
      { name: "emulated", steps: [{ method: "emulated-update" }] },
    ],
    evaluate: async (subnetwork) => ({ loss: await lossOf(subnetwork) }),
  });
  const [fold, emulated] = comparison.rows;
  expect(fold).toMatchObject({ name: "fold", scores: null, error: { code: "INVALID_ARGUMENT" } });
  expect(fold?.error?.message).toContain("no feed-forward comes before it");
  expect(emulated?.scores?.["loss"]).toBeGreaterThan(0);
  expect(comparison.subnetworks.map((one) => one === null)).toEqual([true, false]);
}, 180_000);

test("compareRepairs scores every way beside dense and removed", async () => {
  const comparison = await compareRepairs(pruned, corpus, {
    repairs: [
      { name: "emulated", steps: [{ method: "emulated-update" }] },
      { name: "fold", steps: [{ method: "fold" }] },
      { name: "patch", steps: [{ method: "patch" }] },
    ],
    evaluate: async (subnetwork) => ({ loss: await lossOf(subnetwork) }),
  });
  expect(comparison.rows.map(({ name }) => name)).toEqual(["emulated", "fold", "patch"]);
  expect(comparison.rows[0]).toMatchObject({ parameters: 2 * 576, tokens: 512, error: null });
  expect(comparison.dense["loss"]).toBeLessThan(comparison.removed["loss"] ?? 0);
  await expect(
    compareRepairs(pruned, corpus, {
      repairs: [],
      evaluate: async () => ({}),
      evaluationDigest: corpus.info.data.digest,
    }),
  ).rejects.toThrow(/says nothing/);
}, 180_000);
