/**
 * GGUF files in llama.cpp itself, against the subnetwork in transformers: the likeliest next token at every
 * place of two prompts, and 16 greedy tokens after each, written with a cache and without.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Corpus, Depthkit, type Model, type Subnetwork } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

const sentences = Array.from(
  { length: 60 },
  (_, index) => `Sentence ${index} says that ${index} is a number.`,
);

/**
 * package.json's overrides put an empty package in place of llama.cpp's builds for other systems and for
 * GPUs, which are large. Elsewhere these tests skip, and are counted as skipped.
 */
const describeWithLlamaCpp = process.platform === "linux" ? describe : describe.skip;
if (process.platform !== "linux") {
  console.warn("Skipping tests in llama.cpp: its build is there on Linux alone.");
}

/** Other kernels add in another order: up to here on some subnetworks, with equal tokens. */
const BOUND = 2e-3;

let kit: Depthkit;
let model: Model;
let corpus: Corpus;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-gguf-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  corpus = await model.loadCorpus({ texts: sentences }, { sequences: 4, length: 64 });
});
afterAll(async () => {
  await kit?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function expectEqual(subnetwork: Subnetwork, architecture: string): Promise<void> {
  const file = join(folder, "equal.gguf");
  const info = await subnetwork.export(file, { format: "gguf", dtype: "float32", overwrite: true });
  expect(info).toMatchObject({ architecture, removed: subnetwork.removed, warnings: [] });
  const check = await kit.checkExport(file);
  expect(check).toMatchObject({ agreement: 1, written: 1, cached: 1, sameTokens: true });
  expect(check.largestDifference).toBeLessThan(BOUND);
  // Beside keys and values llama.cpp counts a few bytes for each token's place.
  expect((check.kvBytesPerToken ?? 0) - info.kvBytesPerTokenAfter).toBeGreaterThanOrEqual(0);
  expect((check.kvBytesPerToken ?? 0) - info.kvBytesPerTokenAfter).toBeLessThan(32);
}

describeWithLlamaCpp("the bundled model, from its GGUF as float32", () => {
  test("without an attention, a feed-forward and a block", async () => {
    await expectEqual(model.without(["attention.17", "feed-forward.12", "block.14"]), "deci");
  });

  test("with a constant in the place of each of two blocks", async () => {
    await using repaired = await model
      .without(["block.10", "block.20"])
      .repair(corpus, { method: "emulated-update" });
    await expectEqual(repaired, "llama");
  });
});

describeWithLlamaCpp("the bundled model's own tensors", () => {
  test("are copied byte for byte; what differs in llama.cpp is what differs for the whole model", async () => {
    const file = join(folder, "copied.gguf");
    const info = await model
      .without(["block.14", "attention.17"])
      .export(file, { format: "gguf", check: true });
    expect(info.notes.join()).toMatch(/tensors are the base's own bytes/);
    expect(info.dtype).toBe("q4_1");
    expect(info.base).toBe("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    expect(info.check?.whole?.largestDifference).toBeGreaterThan(BOUND);
    expect(info.check?.written.cached).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes("check"))).toEqual([]);
  });

  test("a file that is not depthkit's is never replaced, and another base is refused", async () => {
    const foreign = join(folder, "foreign.gguf");
    writeFileSync(foreign, "not a model");
    const options = { format: "gguf", overwrite: true } as const;
    await expect(model.export(foreign, options)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
    await expect(model.export(join(folder, "x.gguf"), { ...options, base: foreign })).rejects.toMatchObject({
      code: "MODEL_INVALID",
    });
    await expect(kit.checkExport(foreign)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });
});

describeWithLlamaCpp("a checkpoint without a GGUF", () => {
  const surgeries = [
    "",
    `
config.attention_bias = config.mlp_bias = True
config.rope_parameters = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
config.tie_word_embeddings = False
model = LlamaForCausalLM(config)
for parameter in model.parameters():
    parameter.data += 0.05 * torch.randn(parameter.shape)
`,
  ];
  test.each(surgeries)(
    "is converted, and is right wherever a sublayer is missing or repaired",
    async (surgery) => {
      const parent = mkdtempSync(join(folder, "tiny-"));
      const tiny = await kit.loadModel(await tinyModel(parent, surgery), { device: "cpu" });
      await expectEqual(tiny.without(["attention.0", "block.1", "feed-forward.5"]), "deci");
      await expectEqual(tiny.without(["block.0", "block.4"]), "llama");
      await using corpus = await tiny.loadCorpus({ texts: sentences }, { sequences: 4, length: 64 });
      await using repaired = await tiny
        .without(["block.2", "block.4"])
        .repair(corpus, { method: "low-rank", rank: 8 });
      await expectEqual(repaired, "deci");
      await expect(
        tiny.export(join(parent, "small.gguf"), { format: "gguf", dtype: "q8_0" }),
      ).rejects.toMatchObject({ code: "EXPORT_UNSUPPORTED", message: expect.stringContaining("48 numbers") });
    },
  );
});

test("what a format cannot hold is said before any work, with the nearest that it can", async () => {
  await using patched = await model.without(["block.10"]).repair(corpus, { method: "patch" });
  const answer = await patched.canExport({ format: "gguf" });
  expect(answer).toMatchObject({ possible: false, nearest: { removed: ["block.10"], repairs: [] } });
  const call = patched.export(join(folder, "patched.gguf"), { format: "gguf" });
  await expect(call).rejects.toMatchObject({
    code: "EXPORT_UNSUPPORTED",
    message: expect.stringContaining(answer.reason ?? "no reason"),
  });
  const attentions = model.without(Array.from({ length: 30 }, (_, block) => `attention.${block}`));
  for (const format of ["gguf", "huggingface"] as const) {
    const { possible, nearest } = await attentions.canExport({ format });
    expect(possible).toBe(false);
    expect(nearest?.removed).toHaveLength(29);
  }
  expect(await patched.canExport({ format: "huggingface" })).toMatchObject({ possible: true, nearest: null });
});

test("a folder in stock transformers, in a process of its own", async () => {
  const parent = mkdtempSync(join(folder, "tiny-"));
  const tiny = await kit.loadModel(await tinyModel(parent), { device: "cpu" });
  const options = { format: "huggingface", check: true } as const;
  const info = await tiny.without(["block.1", "block.3"]).export(join(parent, "plain"), options);
  expect(info.check?.written).toMatchObject({ agreement: 1, written: 1, cached: 1, sameTokens: true });
  expect(info.check?.written.largestDifference).toBeLessThan(BOUND);
  expect(info.check?.written.kvBytesPerToken).toBe(info.kvBytesPerTokenAfter);
  const own = join(parent, "own");
  await tiny.without(["attention.2"]).export(own, { format: "huggingface" });
  await expect(kit.checkExport(own)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("--trust-remote-code"),
  });
  expect(await kit.checkExport(own, { trustRemoteCode: true })).toMatchObject({ agreement: 1, cached: 1 });
  writeFileSync(join(own, "depthkit-reference.json"), "{}");
  await expect(kit.checkExport(own, { trustRemoteCode: true })).rejects.toMatchObject({
    code: "MODEL_INVALID",
  });
});
