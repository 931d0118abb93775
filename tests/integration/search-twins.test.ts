/** A model in which block 4 does what block 2 does, wherever block 2 has not done it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Corpus, Model } from "../../src/index.ts";
import { type AlteredModel, alteredModel } from "./altered-model.ts";

// Stream: 0 is constant, 1 is what the twins write, 2 to 26 are the tokens' own, 27 to 31 are read by nobody.
// Each block is one neuron that writes a constant; of block 4 a second one is open only where 1 is empty.
const surgery = `
import math
model.config.tie_word_embeddings = False
model.lm_head.weight = torch.nn.Parameter(torch.randn(len(tokenizer), 32) * 0.1)
with torch.no_grad():
    model.lm_head.weight[:, 1] *= 100
    model.lm_head.weight[:, 27:] = 0
    embedding = model.model.embed_tokens.weight
    embedding.normal_()
    embedding[:, 0], embedding[:, 1], embedding[:, 27:] = 10, 0, 0
    normed = 10 * math.sqrt(32 / 125)
    constant = normed * normed / (1 + math.exp(-normed))
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        for name in ("gate_proj", "up_proj", "down_proj"):
            getattr(layer.mlp, name).weight.zero_()
        for name in ("gate_proj", "up_proj"):
            getattr(layer.mlp, name).weight[:2, 0] = 1
    writes = {0: (27, 0.38), 1: (28, 0.39), 2: (1, 0.29), 3: (29, 0.40), 4: (31, 0.33), 5: (30, 0.41)}
    for index, (place, size) in writes.items():
        model.model.layers[index].mlp.down_proj.weight[place, 0] = size / constant
    twin = model.model.layers[4].mlp
    twin.gate_proj.weight[1, 1] = -120
    twin.down_proj.weight[1, 1] = 0.29 / constant
`;

let altered: AlteredModel;
let model: Model;
let fit: Corpus;
let choose: Corpus;
beforeAll(async () => {
  altered = await alteredModel(surgery);
  ({ model, fit, choose } = altered);
});
afterAll(() => altered.close());

const search = (strategy: "lowest" | "iterative") =>
  model.search({ strategy, budget: 2, scores: { metric: "l2" }, fit, choose, value: "kl" });

test("either twin can go, and not both", async () => {
  const sets = [["block.2"], ["block.4"], ["block.2", "block.4"]];
  const { scores } = await model.evaluateSubnetworks(choose, sets, { measures: ["kl"] }).result;
  const [first = Number.NaN, second = Number.NaN, both = Number.NaN] = scores.map(({ values }) => values.kl);
  expect(first).toBeLessThan(both / 10);
  expect(second).toBeLessThan(both / 10);
});

test("a ranking that is measured once loses both", async () => {
  expect((await search("lowest")).removed).toEqual(["block.2", "block.4"]);
});

test("one that is measured again on what is left keeps one", async () => {
  const found = await search("iterative");
  expect(found.removed).toEqual(["block.0", "block.2"]);
  expect(found.value).toBeGreaterThan((await search("lowest")).value);
});

test.each(["taylor", "gate", "xmerge", "cosine"] as const)(
  "kinds are ranked together by %s",
  async (metric) => {
    const players = ["attention", "feed-forward"] as const;
    const options = { players, budget: 3, scores: { metric }, fit, choose } as const;
    const once = await model.search({ ...options, strategy: "lowest" });
    // Measured once for all three removals, `iterative` is `lowest`, and so is a knapsack of three.
    for (const strategy of [{ name: "iterative", step: 3 }, "knapsack"] as const) {
      expect((await model.search({ ...options, strategy })).removed).toEqual(once.removed);
    }
    expect((await model.search({ ...options, strategy: "iterative" })).removed).toHaveLength(3);
    if (metric !== "taylor" && metric !== "gate") return;
    const ranked = await model.influence(fit, { metric, units: "sublayers" });
    expect([...ranked.lowest(3)].sort()).toEqual([...once.removed].sort());
  },
);
