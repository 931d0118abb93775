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
  test("estimates and removes what is lowest; a second run takes all from the journal", async () => {
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

  test("two functions that differ in what they captured share measures, and no value", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 24 });
    const directory = mkdtempSync(join(folder, "captured-"));
    const weighted = async (weight: number) => {
      const value = {
        name: "mix",
        measures: ["loss", "kl"],
        compute: ({ loss = 0, kl = 0 }: Readonly<Record<string, number>>) => -loss - weight * kl,
      };
      await using game = await model.game(corpus, { groups: 5, value, journal: directory });
      const [mixed = 0] = await game.evaluate([Coalition.without(5, [2])]);
      return { mixed, evaluated: game.counts.evaluated };
    };
    const none = await weighted(0);
    const ten = await weighted(10);
    expect([none.evaluated, ten.evaluated]).toEqual([1, 0]);
    const { scores } = await model.evaluateSubnetworks(
      corpus,
      [Array.from({ length: 6 }, (_, block) => `block.${12 + block}`)],
      { measures: ["loss", "kl"], journal: directory },
    ).result;
    const { loss = Number.NaN, kl = Number.NaN } = scores[0]?.values ?? {};
    expect(none.mixed).toBe(-loss);
    expect(ten.mixed).toBe(-loss - 10 * kl);
    // Either measure is there for whoever asks for it alone.
    await using alone = await model.game(corpus, { groups: 5, value: "kl", journal: directory });
    expect([...(await alone.evaluate([Coalition.without(5, [2])]))]).toEqual([-kl]);
    expect(alone.counts.evaluated).toBe(0);
  });

  test("a block and its two sublayers are one subnetwork, whatever the players are called", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 24 });
    const directory = mkdtempSync(join(folder, "named-"));
    await using blocks = await model.game(corpus, { players: ["block.3", "block.4"], journal: directory });
    const [removed = 0] = await blocks.evaluate([Coalition.of(2, [1])]);
    await using sublayers = await model.game(corpus, {
      players: ["attention.3", "feed-forward.3"],
      journal: directory,
    });
    expect([...(await sublayers.evaluate([Coalition.empty(2)]))]).toEqual([removed]);
    expect(sublayers.counts).toEqual({ asked: 1, hits: 1, evaluated: 0 });
  });

  test("a subnetwork is in the journal as it is finished: a kill loses what was under way", async () => {
    const directory = mkdtempSync(join(folder, "killed-"));
    const players = Array.from({ length: 12 }, (_, block) => `block.${18 + block}` as const);
    const asked = Array.from({ length: 12 }, (_, first) =>
      Array.from({ length: first }, (__, second) => Coalition.without(12, [second, first])),
    ).flat();
    const doomed = await Depthkit.start();
    const there = await doomed.loadModel("smollm2-135m", { device: "cpu" });
    const corpus = await there.loadCorpus(texts, { sequences: 1, length: 16 });
    const phases = new Set<string>();
    const game = await there.game(corpus, {
      players,
      journal: directory,
      onProgress: ({ phase, done, total }) => {
        phases.add(phase);
        if (done > 0.4 * (total ?? Number.POSITIVE_INFINITY)) process.kill(doomed.pid, "SIGKILL");
      },
    });
    await expect(game.evaluate(asked)).rejects.toMatchObject({ code: "WORKER_DIED" });
    expect(phases).toContain("subnetworks");
    const kept = game.known;
    expect(kept).toBeGreaterThan(asked.length / 10);
    await game.close();
    await doomed.close();
    await using again = await model.loadCorpus(texts, { sequences: 1, length: 16 });
    await using resumed = await model.game(again, { players, journal: directory });
    expect(resumed.known).toBe(kept);
    await resumed.evaluate(asked);
    expect(resumed.counts.evaluated).toBe(asked.length - kept);
  });

  test("repairs that no player calls for, or that apply to none of the subnetworks, are told", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 2, length: 24 });
    const { repairs } = await model.without(["block.3", "block.4"]).repair(corpus, { method: "fold" });
    await using game = await model.game(corpus, { players: ["block.3", "block.9"], repairs });
    expect(game.notes).toEqual([expect.stringMatching(/fold of block\.3, block\.4 is never in place/)]);
    const parts = await model.evaluateSubnetworks(corpus, [["block.3"], ["block.4"]], { repairs }).result;
    expect(parts.notes).toEqual([expect.stringMatching(/fold.*block\.3.*block\.4/)]);
    const whole = await model.evaluateSubnetworks(corpus, [["block.3", "block.4"]], { repairs }).result;
    expect(whole.notes).toEqual([]);
  });

  test("a measure that the data do not have is refused before anything is evaluated", async () => {
    await using corpus = await model.loadCorpus(texts, { sequences: 1, length: 16 });
    await expect(model.game(corpus, { value: "accuracy" })).rejects.toThrow(/loss, kl, logit-distance/);
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
