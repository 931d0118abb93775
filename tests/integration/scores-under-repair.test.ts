/**
 * A model in which block 1 makes the stream three times as long, so that what follows weighs little in it.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pruneRecipes } from "../../src/experiment/prune/recipes.ts";
import type { Corpus, Depthkit, Model, RepairOptions } from "../../src/index.ts";
import { type AlteredModel, alteredModel } from "./altered-model.ts";

// Stream: 0 is constant, 1 to 26 are the tokens' own. Each block is one neuron that writes a constant.
const surgery = `
import math
with torch.no_grad():
    embedding = model.model.embed_tokens.weight
    embedding.normal_().mul_(0.3)
    embedding[:, 0], embedding[:, 27:] = 10, 0
    normed = 10 * math.sqrt(32 / 102)
    constant = normed * normed / (1 + math.exp(-normed))
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        for name in ("gate_proj", "up_proj", "down_proj"):
            getattr(layer.mlp, name).weight.zero_()
        for name in ("gate_proj", "up_proj"):
            getattr(layer.mlp, name).weight[:1, 0] = 1
    writes = {0: (27, 4), 1: (0, 20), 2: (28, 8), 3: (29, 30), 4: (30, 40), 5: (31, 50)}
    for index, (place, size) in writes.items():
        model.model.layers[index].mlp.down_proj.weight[place, 0] = size / constant
`;
const scale: RepairOptions = { method: "scale", ratio: "mean", reference: "pruned" };

let altered: AlteredModel;
let kit: Depthkit;
let model: Model;
let fit: Corpus;
let choose: Corpus;
let folder: string;
beforeAll(async () => {
  altered = await alteredModel(surgery);
  ({ kit, model, fit, choose, folder } = altered);
});
afterAll(() => altered.close());

const search = (repair?: RepairOptions) =>
  model.search({ strategy: "iterative", budget: 3, scores: { metric: "cosine", repair }, fit, choose });

/**
 * The same loop by hand: each round the model without what has gone, its factors folded in, is saved, loaded
 * again as a model of its own, and measured.
 */
async function byHand(): Promise<number[]> {
  const left = Array.from({ length: model.depth }, (_, block) => block);
  const removed: number[] = [];
  while (removed.length < 3) {
    const saved = join(folder, `round-${removed.length}`);
    if (removed.length === 0) await model.export(saved, { format: "huggingface" });
    else {
      await using scaled = await model
        .without(removed.map((block) => `block.${block}`))
        .repair(fit, { method: "scale", ratio: "mean", reference: "pruned" });
      const { layout } = await scaled.export(saved, { format: "huggingface" });
      expect(layout).toBe("plain");
    }
    await using rest = await kit.loadModel(saved, { device: "cpu" });
    await using same = await rest.loadCorpus(
      {
        texts: [
          Array.from({ length: 60 }, (_, index) => `Line ${(100 + index) ** 2} of the text.`).join(" "),
        ],
      },
      { length: 32, sequences: 4 },
    );
    const [least] = (await rest.influence(same, { metric: "cosine" })).lowest(1);
    const [gone = Number.NaN] = left.splice(Number(least?.split(".")[1]), 1);
    removed.push(gone);
  }
  return removed;
}

test("a round is measured with the factors of what has gone in place", async () => {
  const bare = (await search()).removed;
  const found = (await search(scale)).removed;
  expect(bare).toContain("block.0");
  expect(found).toContain("block.2");
  expect(found).toEqual((await byHand()).sort().map((block) => `block.${block}`));
  expect(found).not.toEqual(bare);
});

test("Prune&Comp does so, with the factors that it leaves in place", async () => {
  const { choose: way, repair } = pruneRecipes["prune-comp"];
  expect(way.scores).toEqual({ metric: "cosine", repair: scale });
  expect(repair(32)).toEqual(scale);
  const found = await model.search({ ...way, budget: 3, fit, choose });
  expect(found.removed).toEqual((await search(scale)).removed);
});

test("what does nothing, is trained or is no repair is refused", async () => {
  const options = { budget: 1, fit, choose } as const;
  const scores = { metric: "cosine", repair: scale } as const;
  await expect(model.search({ ...options, strategy: "lowest", scores })).rejects.toThrow(
    '`scores.repair` is for "iterative"; "lowest" measures once',
  );
  await expect(
    model.search({ ...options, strategy: "iterative", scores: { metric: "taylor", repair: scale } }),
  ).rejects.toThrow('"taylor" takes gradients');
  for (const repair of [{ method: "lora" }, { method: "low-rank", training: {} }] as const) {
    await expect(
      model.search({ ...options, strategy: "iterative", scores: { metric: "cosine", repair } }),
    ).rejects.toThrow(`"${repair.method}" would be trained each time`);
  }
  const wrong = { method: "scale", ratio: "most" } as unknown as RepairOptions;
  await expect(
    model.search({ ...options, strategy: "iterative", scores: { metric: "cosine", repair: wrong } }),
  ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
