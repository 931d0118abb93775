import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Coalition } from "../../src/game/coalition.ts";
import { Depthkit, type Model } from "../../src/index.ts";
import { estimateShapley } from "../../src/shapley/index.ts";
import { dataFile, describeWithSharedData, golden } from "./shared-data.ts";

const texts = {
  texts: Array.from({ length: 60 }, (_, index) => `Sentence ${index} says that ${index} is a number.`),
};

let kit: Depthkit;
let model: Model;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-game-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a game over the model", () => {
  test("estimates, removes what it ranks lowest, and a second run takes every coalition from the journal", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 32 });
    const estimate = async () => {
      await using game = await model.game(corpus, { groups: 5, value: ["loss", "kl"], journal: folder });
      const result = await estimateShapley(game, {
        method: "exact",
        target: { horizon: 2 },
        evaluations: 16,
      });
      return { result, evaluated: game.counts.evaluated };
    };
    const first = await estimate();
    expect(first.evaluated).toBeGreaterThan(5);
    expect(first.result.players("loss")).toHaveLength(5);
    const pruned = model.without(first.result.lowest(1));
    expect(pruned.removed).toHaveLength(6);
    const second = await estimate();
    expect(second.evaluated).toBe(0);
    expect(second.result.players("loss")).toEqual(first.result.players("loss"));
    expect(second.result.players("kl")).toEqual(first.result.players("kl"));
  });

  test("players and values that are none are refused", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 16 });
    await expect(model.game(corpus, { players: "mlp" as "block" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(model.game(corpus, { value: "bleu" as "loss" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(model.game(corpus, { groups: 31 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describeWithSharedData("the reference game", () => {
  test("every coalition with at most two of ten groups removed, and none at all", async () => {
    const figures = golden("game10.json");
    await using corpus = await model.loadCorpus(dataFile("calib_wikitext2_train.jsonl"), {
      sequences: 2,
      length: 128,
    });
    await using game = await model.game(corpus, { groups: 10, value: ["loss", "kl"] });
    const removals = Array.from({ length: 10 }, (_, first) => [
      [first],
      ...Array.from({ length: first }, (__, second) => [second, first]),
    ]);
    const coalitions = [[], ...removals.flat()].map((removed) => Coalition.without(10, removed));
    const matrix = await game.evaluate([...coalitions, Coalition.empty(10)]);
    for (const [row, coalition] of [...coalitions, Coalition.empty(10)].entries()) {
      const mask = [...coalition].reduce((bits, player) => bits + 2 ** player, 0);
      for (const [column, name] of ["loss", "kl"].entries()) {
        const value = -(matrix[2 * row + column] ?? Number.NaN);
        const expected = figures[name][mask];
        expect(Math.abs(value - expected) / Math.max(1, expected), `${name} of ${mask}`).toBeLessThan(1e-4);
      }
    }
  });
});
