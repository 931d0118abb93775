import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Depthkit,
  type DepthkitError,
  influenceMetrics,
  type Model,
  type Plan,
  runPlan,
  type StudyEvent,
  unitKinds,
} from "../../src/index.ts";
import { dataFile, describeWithSharedData, golden } from "./shared-data.ts";

const sentences = Array.from(
  { length: 400 },
  (_, index) => `Sentence number ${index} speaks of the number ${index * index}.`,
);
const texts = { texts: sentences };

let kit: Depthkit;
let model: Model;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-test-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("loading", () => {
  test("a model says what it is", () => {
    expect(model.info).toMatchObject({
      source: "smollm2-135m",
      modelType: "llama",
      depth: 30,
      hiddenSize: 576,
      vocabularySize: 49152,
      parameters: 134_515_008,
      parallel: false,
      dtype: "float32",
      device: "cpu",
    });
    expect(model.info.weightsDigest).toMatch(/^[0-9a-f]{64}$/);
  });

  test("a name that is nothing is MODEL_NOT_FOUND; an absent device lists those there are", async () => {
    await expect(kit.loadModel(join(folder, "nothing-here"))).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
    });
    await expect(kit.loadModel("smollm2-135m", { device: "cuda:7" })).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      message: expect.stringMatching(
        /'cuda:7' is not there.* sees .*cpu: take one of them, or name a Python/,
      ),
    });
  });

  test("an adapter is a folder of the caller's, or refused before the weights are read", async () => {
    const adapter = relative(process.cwd(), folder);
    await expect(kit.loadModel("smollm2-135m", { device: "cpu", adapter })).rejects.toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(/^The adapter in .+ cannot be taken: it has no adapter_config\.json/),
    });
    await expect(kit.loadModel("smollm2-135m", { adapter: join(folder, "none") })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
    });
  });

  test("an argument outside the contract never reaches the worker", async () => {
    const options = { device: "tpu" as "cpu" };
    await expect(kit.loadModel("smollm2-135m", options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining('Device "tpu" is none of auto, cpu, mps, cuda and cuda:N.'),
    });
  });
});

describe("corpora", () => {
  test("a corpus says what was read and what was dropped", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 4, length: 32 });
    expect(corpus.info).toMatchObject({
      sequences: 4,
      length: 32,
      tokens: 128,
      packing: "pack",
      bosAdded: false,
    });
    expect(corpus.info.tokensTotal - corpus.info.tokensDropped).toBe(128);
    expect(corpus.info.data).toMatchObject({ records: 400, skipped: 0 });
  });

  test("DAT3: too little text is an error with both numbers", async () => {
    const call = model.loadCorpus({ texts: ["Ten short lines."] }, { sequences: 128, length: 2048 });
    await expect(call).rejects.toMatchObject({ code: "NOT_ENOUGH_TEXT", details: { need: 262144, have: 4 } });
  });

  test("a file that is not there and a format that is none", async () => {
    await expect(model.loadCorpus(join(folder, "no.txt"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    writeFileSync(join(folder, "a.docx"), "a,b\n");
    await expect(model.loadCorpus(join(folder, "a.docx"))).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
    });
  });

  test("a closed corpus is CLOSED, never another one", async () => {
    const corpus = await model.loadCorpus(texts, { sequences: 1, length: 16 });
    await corpus.close();
    await expect(model.influence(corpus)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("subnetworks", () => {
  test("nothing removed is the model itself, and removing leaves no trace", async () => {
    const options = { chunk: 64, maxChunks: 2 };
    const before = await model.perplexity(texts, options);
    const without = await model
      .without(["block.3", "attention.7", "feed-forward.20"])
      .perplexity(texts, options);
    const after = await model.without([]).perplexity(texts, options);
    expect(after.loss).toBe(before.loss);
    expect(without.loss).toBeGreaterThan(before.loss);
    expect(before).toMatchObject({ chunk: 64, stride: 64, chunks: 2, tokensScored: 126, bosAdded: false });
  });

  test("both sublayers of a block are the block", async () => {
    const options = { chunk: 64, maxChunks: 1 };
    const parts = model.without(["attention.5", "feed-forward.5"]);
    const whole = model.without(["block.5"]);
    expect((await parts.perplexity(texts, options)).loss).toBe((await whole.perplexity(texts, options)).loss);
    expect(parts.keptBlocks).toEqual(whole.keptBlocks);
  });

  test("RUN1: the cache gives the text of every step computed anew, without block 0's attention too", async () => {
    for (const removed of [[], ["block.14"], ["attention.0", "attention.9"]]) {
      const subnetwork = model.without(removed);
      const options = { maxNewTokens: 12 };
      const cached = await subnetwork.generate("The capital of France is", options);
      const anew = await subnetwork.generate("The capital of France is", { ...options, cache: false });
      expect(cached.generations[0]?.tokenIds).toEqual(anew.generations[0]?.tokenIds);
    }
    const whole = await model.generate("Hi", { maxNewTokens: 1 });
    const fewer = await model.without(["attention.1", "block.2"]).generate("Hi", { maxNewTokens: 1 });
    expect(fewer.kvBytesPerToken / whole.kvBytesPerToken).toBeCloseTo(28 / 30, 10);
  });

  test("a long call is cancelled, and the worker goes on", async () => {
    const controller = new AbortController();
    const call = model.generate("Count: 1, 2, 3", {
      maxNewTokens: 500,
      cache: false,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    await kit.connection.call("worker.sleep", { seconds: 0 });
  });

  test("an export is whole, says what it is, and is refused where something lies", async () => {
    const target = join(folder, "smaller");
    const pruned = model.without(["block.14", "block.17"]);
    const info = await pruned.export(target, { format: "huggingface", note: "chosen by hand" });
    expect(info).toMatchObject({
      folder: target,
      layout: "plain",
      removed: ["block.14", "block.17"],
      dtype: "float32",
      maxLogitDifference: 0,
      notes: [],
    });
    expect(info.parametersBefore - info.parametersAfter).toBe(2 * 3_540_096);
    expect(readdirSync(target)).toEqual(
      expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "README.md"]),
    );
    expect(readFileSync(join(target, "README.md"), "utf8")).toContain("chosen by hand");
    await expect(pruned.export(target, { format: "huggingface" })).rejects.toMatchObject({
      code: "TARGET_NOT_EMPTY",
    });
    expect(readdirSync(folder).filter((name) => name.startsWith(".") || name.includes("tmp"))).toEqual([]);

    await using smaller = await kit.loadModel(target, { device: "cpu" });
    expect(smaller.depth).toBe(28);
    const options = { chunk: 64, maxChunks: 2 };
    expect((await smaller.perplexity(texts, options)).loss).toBe(
      (await pruned.perplexity(texts, options)).loss,
    );
  });

  test("sublayers go into a checkpoint with a modelling file beside it", async () => {
    const target = join(folder, "sublayers");
    const info = await model
      .without(["attention.3", "feed-forward.5"])
      .export(target, { format: "huggingface" });
    expect(info).toMatchObject({ layout: "depthkit", maxLogitDifference: 0 });
    expect(readdirSync(target)).toContain("modeling_depthkit.py");
    expect(info.kvBytesPerTokenAfter * 30).toBe(info.kvBytesPerTokenBefore * 29);

    await using back = await kit.loadModel(target, { device: "cpu" });
    expect(back.info.absent).toEqual(["attention.3", "feed-forward.5"]);
    expect(back.units("attention")).toHaveLength(29);
    const pruned = model.without(["attention.3", "feed-forward.5"]);
    const options = { chunk: 64, maxChunks: 2 };
    expect((await back.perplexity(texts, options)).loss).toBe((await pruned.perplexity(texts, options)).loss);
    await using corpus = await back.loadCorpus(texts, { sequences: 1, length: 32 });
    const influence = await back.influence(corpus, { units: "attention" });
    expect(influence.ranking().map(({ unit }) => unit)).not.toContain("attention.3");
    expect(influence.highest(99)).toHaveLength(29);
    await using game = await back.game(corpus, { players: "feed-forward" });
    expect(game.players).toHaveLength(29);
    expect(() => back.without(["feed-forward.5"])).toThrow(/There is no feed-forward\.5 in this model/);
  });

  test("a model without any attention has no checkpoint", async () => {
    const attentions = Array.from({ length: 30 }, (_, block) => `attention.${block}`);
    const call = model.without(attentions).export(join(folder, "no"), { format: "huggingface" });
    await expect(call).rejects.toMatchObject({ code: "EXPORT_UNSUPPORTED" });
    expect(readdirSync(folder)).not.toContain("no");
  });
});

describe("many subnetworks at once", () => {
  test("values come as they are finished, and all together in the order asked", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 2, length: 32 });
    const asked = [[], ["block.3"], model.without(["attention.7", "feed-forward.7"]), ["block.7"]];
    const evaluation = model.evaluateSubnetworks(corpus, asked, { measures: ["loss", "kl"] });
    const seen = new Map<number, number>();
    for await (const { index, values } of evaluation) seen.set(index, values.loss ?? Number.NaN);
    const { scores, distinct, counts } = await evaluation.result;
    expect([...seen.keys()].sort()).toEqual([0, 1, 2, 3]);
    for (const { index, values } of scores) expect(seen.get(index)).toBe(values.loss);
    expect(distinct).toBe(3);
    expect(counts).toEqual([62, 64]);
    expect(scores[0]?.values.kl).toBe(0);
    expect(scores[2]?.values).toEqual(scores[3]?.values);
    expect(scores[1]?.values.kl).toBeGreaterThan(0.01);
  });

  test("what each sequence has alone is its own measure, and averages to the corpus's", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 3, length: 32 });
    const asked = [[], ["block.3"], ["block.3"]];
    const { scores } = await model.evaluateSubnetworks(corpus, asked, { bySequence: true }).result;
    await using third = await model.loadCorpus(texts, { sequences: 1, length: 32, skip: 2 });
    const alone = await model.evaluateSubnetworks(third, asked).result;
    for (const { index, values, bySequence } of scores) {
      const own = [...(bySequence?.loss ?? [])];
      expect(own).toHaveLength(3);
      expect(own[2]).toBeCloseTo(alone.scores[index]?.values.loss ?? 0, 5);
      expect(own.reduce((sum, loss) => sum + loss / 3, 0)).toBeCloseTo(values.loss ?? 0, 9);
    }
    const journal = { bySequence: true, journal: join(folder, "none") };
    await expect(model.evaluateSubnetworks(corpus, asked, journal).result).rejects.toThrow("what each seq");
  });

  test("a cancelled evaluation ends its iterator and its result", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 4, length: 64 });
    const controller = new AbortController();
    const asked = model.units("block").map((unit) => [unit]);
    const evaluation = model.evaluateSubnetworks(corpus, asked, { signal: controller.signal });
    const read = async () => {
      for await (const _ of evaluation) controller.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(evaluation.result).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("none, and units that do not exist, are refused", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 16 });
    await expect(model.evaluateSubnetworks(corpus, []).result).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(model.evaluateSubnetworks(corpus, [["block.30"]]).result).rejects.toThrow(
      "numbered 0 to 29",
    );
  });
});

describe("a plan", () => {
  const plan: Plan = {
    model: { source: "smollm2-135m", device: "cpu" },
    calibration: { data: texts, sequences: 2, length: 64 },
    rankings: [{ by: "influence", units: "attention", metric: "relative-l2" }],
    removals: [1, 3],
    evaluations: [{ kind: "perplexity", name: "text", data: texts, chunk: 64, maxChunks: 2 }],
    texts: { prompts: ["One, two,"], maxNewTokens: 4 },
  };

  test("leaves a record, and a second run takes what the journal has", async () => {
    const runFolder = join(folder, "run");
    const record = await runPlan(kit, plan, { folder: runFolder });
    expect(record.rankings[0]?.sets.map(({ removed }) => removed.length)).toEqual([1, 3]);
    expect(record.subnetworks[2]?.removed.every((unit) => unit.startsWith("attention."))).toBe(true);
    expect(record.texts).toHaveLength(3);
    expect(JSON.parse(readFileSync(join(runFolder, "record.json"), "utf8"))).toEqual(record);

    // Measured together by the engine, a perplexity is what it is by itself.
    const alone = await model.perplexity(texts, { chunk: 64, maxChunks: 2 });
    const [whole] = record.results;
    expect(whole?.values["perplexity"]?.value).toBeCloseTo(Number(alone.perplexity), 4);
    expect(record.evaluations[0]?.protocol).toMatchObject({
      chunk: alone.chunk,
      stride: alone.stride,
      chunks: alone.chunks,
      bosAdded: alone.bosAdded,
      tokensScored: alone.tokensScored,
    });

    const known: boolean[] = [];
    const onEvent = (event: StudyEvent) => void (event.kind === "step" && known.push(event.known));
    const { timings: _t, ...again } = await runPlan(kit, plan, { folder: runFolder, onEvent });
    const { timings: _u, ...first } = record;
    expect(again).toEqual(first);
    expect(new Set(known)).toEqual(new Set([true]));
  });

  test("outside its schema it is refused with every place, before anything is begun", async () => {
    const wrong = {
      ...plan,
      calibration: { ...plan.calibration, sequence: 2 },
      rankings: [
        { by: "influence", metric: "cosinus", units: ["block"] },
        { by: "influence", metric: { each: ["cosine", "taylor"] }, units: "attention" },
      ],
      removals: [1, 31],
      repairs: [{ method: "low-rank", rank: 0 }],
      evaluations: [
        { kind: "perplexity", name: "one", data: "no-such-file.txt" },
        { kind: "questions", name: "two", data: { rows: [{ question: "?" }] }, format: "mmlu" },
        { kind: "probe", probe: "sums", where: { rankings: ["cosine attentio"] } },
      ],
    };
    const error = await runPlan(kit, wrong as unknown as Plan, { folder: join(folder, "never") }).catch(
      (thrown: unknown) => thrown as DepthkitError,
    );
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      details: {
        paths: [
          "calibration",
          "rankings.0.metric",
          "repairs.0.rank",
          "evaluations.2.where.rankings",
          "evaluations.0",
          "evaluations.1",
          // Both of the grid that is written second.
          "rankings.1",
          "rankings.1",
        ],
      },
    });
    expect(String(error)).toContain('"sequence" (did you mean "sequences"?)');
    expect(String(error)).toContain('"cosine attentio" (did you mean "cosine attention"?)');
    expect(String(error)).toContain('removals ask for 31 units, and "cosine attention" has 30');
    expect(readdirSync(folder)).not.toContain("never");
  });
});

describeWithSharedData("reference figures, through the bridge", () => {
  test("influence on 8 x 128 tokens", async () => {
    const figures = golden("smollm2.json").influence_8x128;
    const data = dataFile("calib_wikitext2_train.jsonl");
    await using corpus = await model.loadCorpus(data, { sequences: 8, length: 128 });
    const influence = await model.influence(corpus);
    for (const kind of unitKinds) {
      for (const metric of influenceMetrics) {
        for (const [block, value] of influence.data.values[kind][metric].entries()) {
          const expected = figures[kind][block][metric];
          expect(Math.abs(value / expected - 1), `${metric} of ${kind}.${block}`).toBeLessThan(1e-4);
        }
      }
    }
    for (const [length, distances] of Object.entries<number[]>(figures.angular_last)) {
      for (const [start, expected] of distances.entries()) {
        const value = influence.data.angular[Number(length) - 1]?.[start] ?? Number.NaN;
        expect(Math.abs(value / expected - 1), `angular ${length} from ${start}`).toBeLessThan(1e-4);
      }
    }
  });

  test("leave-one-out values of some units", async () => {
    const figures = golden("smollm2.json").loo_8x128;
    const data = dataFile("calib_wikitext2_train.jsonl");
    await using corpus = await model.loadCorpus(data, { sequences: 8, length: 128 });
    const units = ["block.0", "block.14", "attention.5", "feed-forward.29"];
    const measures = ["loss", "kl", "logit-distance"] as const;
    const { result } = model.evaluateSubnetworks(corpus, [[], ...units.map((unit) => [unit])], { measures });
    const { scores } = await result;
    expect(Math.abs((scores[0]?.values.loss ?? 0) / figures.dense_loss - 1)).toBeLessThan(1e-4);
    for (const [index, unit] of units.entries()) {
      for (const name of measures) {
        const value = scores[index + 1]?.values[name] ?? Number.NaN;
        const expected =
          figures.units[unit.replace("attention", "attn").replace("feed-forward", "ffn")][name];
        expect(Math.abs(value / expected - 1), `${name} without ${unit}`).toBeLessThan(1e-4);
      }
    }
  });

  test("perplexity of the first chunks of WikiText-2, the published way", async () => {
    const figure = golden("smollm2.json").perplexity_wikitext2_first_chunks["512x16"];
    const options = { rows: "wikitext", chunk: 512, maxChunks: 16 } as const;
    const result = await model.perplexity(dataFile("wikitext2.test.txt"), options);
    expect(Math.abs(Number(result.perplexity) / figure.ppl - 1)).toBeLessThan(1e-4);
    expect(result).toMatchObject({
      chunks: 16,
      tokensScored: figure.scored_tokens,
      tokensTotal: 306453,
      bosAdded: false,
    });
    expect(result.data).toMatchObject({ bytes: 1_290_590, characters: 1_288_556, lines: 4358 });
  });
});
