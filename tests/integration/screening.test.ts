import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Coalition } from "../../src/game/coalition.ts";
import { type Corpus, Depthkit, type Model } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

const texts = {
  texts: Array.from({ length: 60 }, (_, index) => `Sentence ${index} says that ${index} is a number.`),
};
/** Larger weights than a new model has, so that blocks differ. */
const surgery = `
for parameter in model.parameters():
    if parameter.dim() > 1: torch.nn.init.normal_(parameter, std=0.2)
`;
const without = (block: number) => Coalition.without(6, [block]);
const sets = [0, 1, 2, 3, 4, 5].map(without);

let kit: Depthkit;
let folder: string;
let model: Model;
let corpus: Corpus;
/** Whether this machine has instructions for bfloat16. */
let able: boolean;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-screening-"));
  kit = await Depthkit.start();
  model = await kit.loadModel(await tinyModel(folder, surgery), { device: "cpu" });
  corpus = await model.loadCorpus(texts, { sequences: 4, length: 32 });
  able = model.screening === "bfloat16";
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the precision screen", () => {
  test("a game's values are near the exact ones, and share no journal entry with them", async () => {
    expect(["bfloat16", "float32"]).toContain(model.screening);
    const journal = join(folder, "journal");
    const play = async (precision: "exact" | "screen") => {
      await using game = await model.game(corpus, { journal, precision });
      const values = [...(await game.evaluate(sets))];
      return { values, evaluated: game.counts.evaluated, precision: game.precision, notes: game.notes };
    };
    const exact = await play("exact");
    expect(exact).toMatchObject({ evaluated: 6, precision: "exact", notes: [] });
    const screened = await play("screen");
    // Where there are no instructions the values are the exact ones, and are taken from them.
    expect(screened.evaluated).toBe(able ? 6 : 0);
    expect(screened.precision).toBe(able ? "screen" : "exact");
    expect(screened.notes).toHaveLength(1);
    expect(screened.notes[0]).toMatch(able ? "with products in bfloat16" : "which is exact");
    const off = screened.values.map((value, at) => Math.abs(value - (exact.values[at] ?? Number.NaN)));
    expect(Math.max(...off)).toBeLessThan(0.1);
    if (able) expect(Math.max(...off)).toBeGreaterThan(0);
    const again = [await play("screen"), await play("exact")];
    expect(again.map(({ evaluated }) => evaluated)).toEqual([0, 0]);
    expect(again.map(({ values }) => values)).toEqual([screened.values, exact.values]);
  });

  test("what is near is the model's own, sequence by sequence", async () => {
    const measured = async (precision: "exact" | "screen") => {
      const options = { bySequence: true, precision } as const;
      const { scores } = await model.evaluateSubnetworks(corpus, [["block.2"]], options).result;
      return [...(scores[0]?.bySequence?.loss ?? [])];
    };
    const [exact, screened] = [await measured("exact"), await measured("screen")];
    expect(screened).toHaveLength(4);
    for (const [at, loss] of screened.entries()) {
      expect(Math.abs(loss - (exact[at] ?? Number.NaN))).toBeLessThan(0.1);
    }
    expect(screened.join() === exact.join()).toBe(!able);
  });

  test("a search scores its best sets again exactly", async () => {
    await using parts = await model.splitText(texts, { choose: [1, 3], report: 2, length: 32 });
    const journal = join(folder, "search");
    const options = { budget: 2, journal, choose: parts.choose, report: parts.report };
    const found = await model.search({ ...options, precision: "screen" });
    const corpus = parts.choose[1] as Corpus;
    const { scores } = await model.evaluateSubnetworks(corpus, [found.removed]).result;
    expect(found.value).toBeCloseTo(-(scores[0]?.values.loss ?? Number.NaN), 6);
    expect(found.parts[0]?.removed).toBeCloseTo(-found.value, 6);
    const precisions = found.trace.map(({ precision }) => precision);
    expect(precisions).toEqual(able ? ["screen", "screen", "exact"] : ["exact", "exact"]);
    expect(found.notes.join()).toMatch(able ? "were scored again exactly" : "which is exact");
    if (able) {
      const { sets = [], error = Number.NaN } = found.finalists ?? {};
      expect(sets.length).toBeGreaterThan(1);
      expect(sets[0]).toMatchObject({ removed: found.removed, value: found.value });
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.1);
    }
    const again = await model.search({ ...options, precision: "screen" });
    expect(again.blockEvaluations).toBe(0);
    expect([again.removed, again.value]).toEqual([found.removed, found.value]);
    // Of what was screened an exact search knows the finalists alone.
    const exact = await model.search(options);
    expect(exact.finalists).toBeNull();
    expect(exact.blockEvaluations > 0).toBe(able);
  });

  test("a model in bfloat16 has nothing to gain, and is refused before anything is computed", async () => {
    await using narrow = await kit.loadModel(join(folder, "tiny"), { device: "cpu", dtype: "bfloat16" });
    await using own = await narrow.loadCorpus(texts, { sequences: 2, length: 32 });
    expect(narrow.screening).toBeNull();
    const refused = {
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("is loaded in bfloat16"),
    };
    const precision = "screen";
    await expect(narrow.game(own, { precision })).rejects.toMatchObject(refused);
    await expect(narrow.search({ precision, budget: 1, choose: own })).rejects.toMatchObject(refused);
    const scores = (bySequence: boolean) =>
      narrow.evaluateSubnetworks(own, [["block.1"]], { precision, bySequence }).result;
    await expect(scores(false)).rejects.toMatchObject(refused);
    await expect(scores(true)).rejects.toMatchObject(refused);
  });
});
