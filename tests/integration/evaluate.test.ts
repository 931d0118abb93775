import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compareEvaluations, Depthkit, type GenerationTask, type Model, type Task } from "../../src/index.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

const sentences = Array.from({ length: 60 }, (_, index) => `Sentence ${index} says ${index * index}.`);
const rows = Array.from({ length: 5 }, (_, n) => ({
  question: `What is ${n} plus ${n}`,
  options: [`${2 * n}`, `${3 * n + 1}`],
  right: 0,
  answer: `${2 * n}`,
}));

let kit: Depthkit;
let model: Model;
let folder: string;
let tiny: string;
let choices: Task;
let sums: GenerationTask;
let journal: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-evaluate-"));
  tiny = await tinyModel(folder, LIVELY, { blocks: 30 });
  writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(join(folder, "text.txt"), sentences.join("\n"));
  kit = await Depthkit.start();
  ({ model, choices, sums } = await load(kit));
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  journal = mkdtempSync(join(folder, "journal-"));
});

async function load(from: Depthkit) {
  const loaded = await from.loadModel(tiny, { device: "cpu", dtype: "float32" });
  const file = join(folder, "rows.jsonl");
  return {
    model: loaded,
    choices: await loaded.loadTask(file, {
      format: { prompt: "{question}?", choices: "options", answer: "right" },
    }),
    sums: await loaded.loadGenerationTask(file, { prompt: "{question}?\nAnswer:" }),
  };
}

const text = () => ({ kind: "perplexity", data: join(folder, "text.txt"), chunk: 64 }) as const;
const questions = () => ({ kind: "choices", task: choices, items: true }) as const;
const answers = () => ({ kind: "solve", task: sums, maxNewTokens: 4, items: true }) as const;
const without = <T extends { seconds: number; batchSize: number }>({
  seconds: _,
  batchSize: __,
  ...rest
}: T) => rest;

describe("several evaluations at once", () => {
  test("are what each is by itself, and a second time come from the journal", async () => {
    const pruned = model.without(["block.14"]);
    const phases = new Set<string>();
    const heard: string[] = [];
    const evaluations = [{ ...text(), name: "sentences" }, questions(), answers()] as const;
    const first = await pruned.evaluate(evaluations, {
      journal,
      onProgress: ({ phase }) => phases.add(phase),
      onResult: ({ name }) => heard.push(name),
    });
    expect(heard).toEqual(["sentences", "choices", "solve"]);
    expect(phases).toContain("sentences: perplexity");
    expect(phases).toContain("choices: choices");
    const [perplexity, chosen, solved] = first;
    expect(without(perplexity.scores)).toEqual(
      without(await pruned.perplexity(text().data, { chunk: text().chunk })),
    );
    expect(without(chosen.scores)).toEqual(without(await pruned.choices(choices, { items: true })));
    expect(without(solved.scores)).toEqual(
      without(await pruned.solve(sums, { maxNewTokens: 4, items: true })),
    );
    expect(first.map(({ items, reused }) => [items, reused])).toEqual([
      [perplexity.scores.chunks, 0],
      [5, 0],
      [5, 0],
    ]);

    const again = await pruned.evaluate(evaluations, { journal });
    expect(again.map(({ items, reused }) => items - reused)).toEqual([0, 0, 0]);
    for (const [index, { scores }] of again.entries()) {
      expect(without(scores)).toEqual(without(first[index]?.scores as typeof scores));
    }
    expect(again[1].scores.batchSize).toBe(0);
  });

  test("two subnetworks are compared item by item", async () => {
    const evaluations = [{ ...text(), items: true }, questions(), answers()] as const;
    const whole = await model.evaluate(evaluations, { journal });
    const pruned = await model.without(["block.0"]).evaluate(evaluations);
    const { perItem = [], loss, chunks, tokensScored } = whole[0].scores;
    expect(perItem).toHaveLength(chunks);
    expect(perItem.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(tokensScored);
    expect(perItem.reduce((sum, chunk) => sum + chunk.loss, 0) / tokensScored).toBeCloseTo(loss, 12);
    const found = compareEvaluations(whole, pruned);
    expect(found.map(({ name, measure }) => `${name} ${measure}`)).toEqual([
      "perplexity loss",
      "perplexity perplexity",
      "choices accuracy",
      "choices accuracy by characters",
      "choices accuracy by bytes",
      "choices choice loss",
      "solve accuracy",
    ]);
    expect(found[0]).toMatchObject({ before: loss, after: pruned[0].scores.loss });
    expect(found[0]?.difference).toBeCloseTo(pruned[0].scores.loss - loss, 12);
    expect(found[0]?.standardError).toBeGreaterThan(0);
    expect(found[0]?.standardError).toBeLessThan(1);
    // The mean of what single items lose, which the worker takes of itself.
    const { perItem: items = [], choiceLoss } = whole[1].scores;
    const losses = items.map(({ logLikelihoods: [a = 0, b = 0] }) => Math.log(1 + Math.exp(b - a)));
    expect(losses.reduce((sum, one) => sum + one, 0) / losses.length).toBeCloseTo(choiceLoss, 9);
    expect(compareEvaluations(whole, whole).every(({ difference }) => difference === 0)).toBe(true);
    // Single chunks are no part of what is kept.
    const [again] = await model.evaluate([text()], { journal });
    expect(again.reused).toBe(chunks);
    expect(again.scores).not.toHaveProperty("perItem");
  });

  test("without a journal nothing is kept", async () => {
    const results = await model.evaluate([questions()]);
    expect(results[0]).toMatchObject({ kind: "choices", name: "choices", items: 5, reused: 0 });
    expect(readdirSync(journal)).toEqual([]);
  });

  test("a journal that is no folder is refused before anything is scored", async () => {
    const scored = model.evaluate([questions()], { journal: join(folder, "text.txt") });
    await expect(scored).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("text.txt"),
    });
  });

  test("a kind that is none is refused", async () => {
    const wrong = [{ kind: "bleu", task: choices }] as unknown as [ReturnType<typeof questions>];
    await expect(model.evaluate(wrong)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("bleu"),
    });
  });
});

describe("what is not the same is not taken from the journal", () => {
  const reused = async (
    subnetwork: Pick<Model, "evaluate">,
    evaluation: Parameters<Model["evaluate"]>[0][0],
  ) => (await subnetwork.evaluate([evaluation], { journal }))[0]?.reused;

  test("other units, a repair, another prompt, another text, other options", async () => {
    const pruned = model.without(["block.14"]);
    expect(await reused(pruned, questions())).toBe(0);
    expect(await reused(pruned, { ...questions(), batchSize: 2 })).toBe(5);
    expect(await reused(model, questions())).toBe(0);
    expect(await reused(model.without(["block.17"]), questions())).toBe(0);

    await using corpus = await model.loadCorpus({ texts: sentences }, { sequences: 2, length: 64 });
    const half = await pruned.repair(corpus, { method: "emulated-update", scale: 0.5 });
    const whole = await pruned.repair(corpus, { method: "emulated-update" });
    expect(await reused(half, questions())).toBe(0);
    expect(await reused(whole, questions())).toBe(0);
    expect(await reused(half, questions())).toBe(5);

    await using other = await model.loadTask(join(folder, "rows.jsonl"), {
      format: { prompt: "{question}!", choices: "options", answer: "right" },
    });
    expect(await reused(pruned, { ...questions(), task: other })).toBe(0);

    expect(await reused(pruned, answers())).toBe(0);
    expect(await reused(pruned, { ...answers(), maxNewTokens: 5 })).toBe(0);
    expect(await reused(pruned, { ...answers(), stop: ["1"] })).toBe(0);
    // What is the default by itself is no difference.
    expect(await reused(pruned, { ...answers(), stop: ["\n\n"], chat: false })).toBe(5);

    const drawn = { ...answers(), samples: 3, temperature: 0.8 };
    expect(await reused(pruned, drawn)).toBe(0);
    expect(await reused(pruned, { ...drawn, seed: 1 })).toBe(0);
    expect(await reused(pruned, { ...drawn, batchSize: 2, passAt: [1, 2] })).toBe(15);

    const few = { ...text(), maxChunks: 2 };
    expect(await reused(pruned, few)).toBe(0);
    expect(await reused(pruned, { ...few, maxChunks: 3 })).toBe(2);
    expect(await reused(pruned, { ...few, maxChunks: 1 })).toBe(1);
    expect(await reused(pruned, { ...few, stride: 32 })).toBe(0);
    expect(await reused(pruned, { ...few, rows: "wikitext" })).toBe(0);
    const changed = join(folder, "changed.txt");
    writeFileSync(changed, sentences.join("\n"));
    expect(await reused(pruned, { ...few, data: changed })).toBe(2);
    writeFileSync(changed, sentences.toReversed().join("\n"));
    expect(await reused(pruned, { ...few, data: changed })).toBe(0);
  });

  test("a damaged line is scored again", async () => {
    await model.evaluate([questions()], { journal });
    const [name] = readdirSync(journal);
    const file = join(journal, name as string);
    const lines = readFileSync(file, "utf8").split("\n");
    lines[2] = (lines[2] as string).replace(/\d(?=\],)/, (digit) => String((Number(digit) + 1) % 10));
    writeFileSync(file, lines.join("\n"));
    appendFileSync(file, '["4",[-1');
    expect(await reused(model, questions())).toBe(4);
    expect(await reused(model, questions())).toBe(5);
  });
});

describe("an evaluation that stopped half way", () => {
  test("goes on after a cancel with the items that are left", async () => {
    const abort = new AbortController();
    const cancelled = model.evaluate([text()], {
      journal,
      signal: abort.signal,
      onProgress: ({ phase, done }) => phase === "perplexity: perplexity" && done >= 2 && abort.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    const [resumed] = await model.evaluate([text()], { journal });
    expect(resumed.reused).toBeGreaterThanOrEqual(2);
    expect(resumed.scores.loss).toBe((await model.perplexity(text().data, { chunk: 64 })).loss);
  });

  test("goes on after the worker was killed", async () => {
    const doomed = await Depthkit.start();
    const there = await load(doomed);
    const long = { ...answers(), maxNewTokens: 24, stop: [], batchSize: 1 };
    const killed = there.model.evaluate([{ ...long, task: there.sums }], {
      journal,
      onProgress: ({ done, phase }) => {
        // Each item takes up to 24 tokens: the third is being written, and enough is left to be killed in.
        if (phase === "solve: generating" && done >= 49) process.kill(doomed.pid, "SIGKILL");
      },
    });
    await expect(killed).rejects.toMatchObject({ code: "WORKER_DIED" });
    await doomed.close();
    const [resumed] = await model.evaluate([long], { journal });
    expect(resumed.reused).toBeGreaterThanOrEqual(2);
    const { kind: _, task, ...options } = long;
    const straight = await model.solve(task, options);
    expect(resumed.scores.perItem).toEqual(straight.perItem);
  });
});
