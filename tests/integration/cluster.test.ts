/** A kit over a Ray cluster: nothing of it is known here but what a result says of the split. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { pythonTools } from "../../scripts/python-tools.ts";
import { compareRepairs, Depthkit, planStudy } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

test("a cluster's values are those of one device, and share its journal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "depthkit-cluster-"));
  const source = await tinyModel(folder);
  const text = {
    texts: Array.from({ length: 60 }, (_, line) => `On day ${line} the fox counted ${line * 7} stones.`),
  };
  // The managed environment has no extras; the tests' own Python has Ray beside it.
  const { python, env } = await pythonTools();
  vi.stubEnv("PYTHONPATH", env["PYTHONPATH"] ?? "");
  const questions = Array.from({ length: 9 }, (_, item) => ({
    q: `On day ${item} the fox counted`,
    choices: ["stones", "the moon again", "nothing"],
    a: item % 3,
    word: "stones",
  }));
  /** Everything that is about one subnetwork and goes to actors. */
  const ofOne = async (kit: Depthkit) => {
    const model = await kit.loadModel(source, { device: "cpu", dtype: "float32" });
    const corpus = await model.loadCorpus(text, { sequences: 8, length: 32 });
    const pruned = model.without(["block.2", "block.3"]);
    const fitted = await pruned.repair(corpus, { method: "low-rank", rank: 4, batchSize: 2 });
    const influence = await model.influence(corpus, { metric: "cosine", batchSize: 2 });
    const format = { prompt: "{q}", choices: "choices", answer: "a" } as const;
    const task = await model.loadTask({ rows: questions }, { format });
    const chosen = await fitted.choices(task, { items: true, batchSize: 2 });
    const { loss } = await fitted.perplexity(text, { chunk: 32, batchSize: 2 });
    const asked = await model.loadGenerationTask({ rows: questions }, { prompt: "{q}", target: "word" });
    const solved = await fitted.solve(asked, { maxNewTokens: 4, items: true, batchSize: 2 });
    const { generations } = await fitted.generate(["On day 1", "The fox", "Stones are"], { maxNewTokens: 4 });
    const errors = fitted.report.gaps.map((gap) => gap.repairedError);
    const influences = Object.values(influence.toScores().scores);
    return {
      numbers: [loss, chosen.choiceLoss, ...errors, ...influences],
      texts: [...(solved.perItem ?? []), ...generations].map(({ text }) => text),
    };
  };
  const measured = async (kit: Depthkit, journal: string) => {
    const model = await kit.loadModel(source, { device: "cpu", dtype: "float32" });
    const corpus = await model.loadCorpus(text, { sequences: 4, length: 64 });
    const sets = [0, 1, 2, 3, 4, 5].map((block) => model.without([`block.${block}`]));
    const options = { measures: ["loss", "kl"] as const, journal, batchSize: 2 };
    const { scores, split, distinct } = await model.evaluateSubnetworks(corpus, sets, options).result;
    return { values: scores.flatMap(({ values }) => [values.loss, values.kl]), split, distinct };
  };
  /** Trainings that each take an actor, and the most that were away at a time. */
  const training = async (kit: Depthkit) => {
    const model = await kit.loadModel(source, { device: "cpu", dtype: "float32" });
    const corpus = await model.loadCorpus(text, { sequences: 8, length: 32 });
    const other = await model.loadCorpus(text, { sequences: 2, length: 32, skip: 8 });
    let away = 0;
    const steps: number[] = [];
    const named = [1, 2, 3].map((seed) => ({
      name: `seed ${seed}`,
      steps: [
        {
          method: "lora" as const,
          rank: 2,
          training: { steps: 60, batchSize: 2, learningRate: 1e-3, seed, folder: join(folder, `${seed}`) },
          onTraining: ({ step }: { step: number }) => steps.push(step),
        },
      ],
    }));
    const looking = setInterval(async () => {
      away = Math.max(away, (await kit.status()).away);
    }, 20);
    const { rows } = await compareRepairs(model.without(["block.2", "block.3"]), corpus, {
      repairs: named,
      evaluate: async (on, call) => {
        const { scores } = await on.model.evaluateSubnetworks(other, [on], call).result;
        return { loss: scores[0]?.values.loss ?? Number.NaN };
      },
    });
    clearInterval(looking);
    await model.close();
    for (const { error } of rows) expect(error).toBeNull();
    for (const { name } of named) rmSync(join(folder, name.slice(5)), { recursive: true });
    expect(Math.max(...steps)).toBe(60);
    return { away, losses: Object.fromEntries(rows.map(({ name, scores }) => [name, scores?.["loss"]])) };
  };
  try {
    await using cluster = await Depthkit.start({ python, cluster: "auto", actors: 2 });
    const there = await measured(cluster, join(folder, "there"));
    expect(there.split).toMatchObject({ actors: 2 });
    const { rows } = await planStudy(cluster, {
      model: { source, device: "cpu" },
      calibration: { name: "stones", data: text, sequences: 2, length: 32 },
      rankings: [{ by: "order", name: "front", order: ["block.0", "block.1"] }],
      removals: [1, 2],
      evaluations: [{ kind: "perplexity", name: "text", data: text, chunk: 32, maxChunks: 8 }],
    });
    const shared = rows.find(({ kind }) => kind === "evaluation");
    expect(shared?.note).toMatch(/pieces? on 2 actors, [0-9.]+% more blocks than on one device/);
    await using kit = await Depthkit.start({ python });
    const here = await measured(kit, join(folder, "here"));
    expect(here.split).toBeNull();
    for (const [place, value] of there.values.entries())
      expect(value).toBeCloseTo(here.values[place] ?? 0, 6);
    const [trained, alone] = [await training(cluster), await training(kit)];
    expect(trained.away).toBe(2);
    expect(alone.away).toBe(0);
    for (const [name, loss] of Object.entries(trained.losses))
      expect(loss).toBeCloseTo(alone.losses[name] ?? 0, 5);
    const [far, near] = [await ofOne(cluster), await ofOne(kit)];
    expect(near.numbers.length).toBeGreaterThan(6);
    for (const [place, value] of far.numbers.entries())
      expect(value).toBeCloseTo(near.numbers[place] ?? 0, 6);
    expect(far.texts).toEqual(near.texts);
    // Its journal knows them all.
    expect(await measured(kit, join(folder, "there"))).toMatchObject({ values: there.values, distinct: 0 });
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  }
});
