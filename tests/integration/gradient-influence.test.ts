/** Influence by gradients, end to end: measured once, seen by every kind and metric, kinds together. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Corpus,
  compareScores,
  Depthkit,
  GradientInfluence,
  Influence,
  type Model,
  measureRemovalCosts,
} from "../../src/index.ts";

const texts = [
  Array.from(
    { length: 40 },
    (_, day) => `On day ${day} the fox went down to the water with ${day * 7} stones.`,
  ).join("\n"),
];

let kit: Depthkit;
let model: Model;
let corpus: Corpus;
let influence: GradientInfluence;

beforeAll(async () => {
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  corpus = await model.loadCorpus({ texts }, { sequences: 2, length: 32 });
  influence = await model.influence(corpus, { metric: "taylor", batchSize: 2 });
}, 180_000);
afterAll(() => kit?.close());

test("the metric says which way it is measured", async () => {
  expect(influence).toBeInstanceOf(GradientInfluence);
  expect(influence.data).toMatchObject({ depth: 30, sequences: 2, tokens: 62 });
  expect(await model.influence(corpus, { metric: "l2" })).toBeInstanceOf(Influence);
  const { loss } = await model.perplexity({ texts }, { chunk: 32, maxChunks: 2 });
  expect(influence.data.loss).toBeCloseTo(loss, 4);
});

test("scores are what comparisons, removals and searches take", async () => {
  const cosine = await model.influence(corpus, { metric: "cosine" });
  const lists = [influence.toScores(), cosine.toScores()];
  expect(lists.map(({ name }) => name)).toEqual(["taylor", "cosine"]);
  expect(compareScores(lists).units).toEqual(model.units("block"));
  for (const [place, ranked] of [influence, cosine].entries()) {
    const { costs } = await measureRemovalCosts(lists.slice(place), async () => ({}), { counts: [4] });
    expect(costs[0]?.removed).toEqual(ranked.lowest(4));
  }
  const found = await model.search({
    strategy: "lowest",
    budget: 3,
    scores: cosine.toScores(),
    choose: corpus,
    evaluations: 1,
  });
  expect([...found.removed].sort()).toEqual(cosine.lowest(3).sort());
  const sublayers = influence.by("sublayers").toScores().scores;
  expect(Object.keys(sublayers)).toHaveLength(60);
  for (const { unit, value } of influence.by("sublayers").ranking()) expect(sublayers[unit]).toBe(value);
});

test("one measurement is seen by every kind and both metrics, lowest first", () => {
  for (const units of ["block", "attention", "feed-forward"] as const) {
    for (const metric of ["taylor", "gate"] as const) {
      const ranked = influence.by(units, metric).ranking();
      expect(ranked.map(({ unit }) => unit).sort()).toEqual(model.units(units).sort());
      const values = ranked.map(({ value }) => value);
      expect(values).toEqual([...values].sort((a, b) => a - b));
      expect(influence.by(units, metric).lowest(3)).toEqual(ranked.slice(0, 3).map(({ unit }) => unit));
      expect(ranked.every(({ standardError }) => (standardError === null) === (metric === "taylor"))).toBe(
        true,
      );
    }
  }
  const { taylor } = influence.data.values.block;
  expect(Math.min(...taylor)).toBeGreaterThan(0);
});

test("attentions and feed-forwards together are a mean over their weights, and gates are not", () => {
  const { values, weights } = influence.data;
  // 576 x 576 twice, 576 x 192 twice; 576 x 1536 three times.
  expect([weights.attention[0], weights["feed-forward"][0]]).toEqual([884_736, 2_654_208]);
  expect(weights.block[0]).toBe(884_736 + 2_654_208 + 2 * 576);
  const together = influence.by("sublayers");
  expect(together.dividedBy).toBe("weights");
  const found = new Map(together.ranking().map(({ unit, value }) => [unit, value]));
  expect(found.size).toBe(60);
  expect(found.get("attention.7")).toBeCloseTo((values.attention.taylor[7] ?? 0) / 884_736, 12);
  expect(found.get("feed-forward.7")).toBeCloseTo((values["feed-forward"].taylor[7] ?? 0) / 2_654_208, 12);
  const gates = influence.by("sublayers", "gate");
  expect(gates.dividedBy).toBeNull();
  const gate = new Map(gates.ranking().map(({ unit, value }) => [unit, value]));
  expect(gate.get("attention.7")).toBe(values.attention.gate[7]);
});

test("what says nothing here is refused by name", async () => {
  await expect(model.influence(corpus, { metric: "gate", skipFirstTokens: 1 } as never)).rejects.toThrow(
    /skipFirstTokens/,
  );
  await expect(model.influence(corpus, { metric: "cosine", units: "sublayers" } as never)).rejects.toThrow(
    /units/,
  );
  await expect(model.influence(corpus, { metric: "tailor" } as never)).rejects.toThrow(/taylor/);
  expect(() => influence.lowest(31)).toThrow(/30/);
});
