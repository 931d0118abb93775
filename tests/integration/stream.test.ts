/** The stream of a tiny model at its boundaries: whole, pruned, and with repairs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { item } from "../../src/arrays.ts";
import { type Corpus, Depthkit, type Model } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

let kit: Depthkit;
let model: Model;
let corpus: Corpus;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-stream-"));
  kit = await Depthkit.start();
  model = await kit.loadModel(await tinyModel(folder), { device: "cpu" });
  const text = Array.from({ length: 60 }, (_, index) => `Line ${index ** 2} of the text.`).join(" ");
  corpus = await model.loadCorpus({ texts: [text] }, { length: 24, sequences: 4 });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

test("it has a value and an error at every boundary", async () => {
  const { variance, codingRate, codingRateBound, ...counts } = await model.stream(corpus, {
    skipFirstTokens: 1,
  });
  expect(counts).toMatchObject({ sequences: 4, tokens: 4 * 23 });
  for (const { values, standardErrors } of [variance, codingRate]) {
    expect(values).toHaveLength(model.depth + 1);
    expect(standardErrors).toHaveLength(model.depth + 1);
    expect(Math.min(...values, ...standardErrors.map(Number))).toBeGreaterThan(0);
  }
  // 23 tokens of 32 numbers.
  expect(codingRateBound).toBeCloseTo((23 / 2) * Math.log(1 + 32 / (23 * 0.5)), 9);
  expect(Math.max(...codingRate.values)).toBeLessThan(codingRateBound);
  await using one = await model.loadCorpus({ texts: ["One line of some text that is read."] }, { length: 6 });
  expect((await model.stream(one)).variance.standardErrors).toEqual(new Array(model.depth + 1).fill(null));
});

test("a removed block leaves it as it is, and a repair's factor is in it", async () => {
  const whole = await model.stream(corpus);
  const bare = model.without(["block.2"]);
  const pruned = await bare.stream(corpus);
  expect(pruned.variance.values.slice(0, 3)).toEqual(whole.variance.values.slice(0, 3));
  expect(item(pruned.variance.values, 3)).toBe(item(pruned.variance.values, 2));
  await using scaled = await bare.repair(corpus, { method: "scale" });
  const factor = scaled.report.gaps[0]?.factor ?? Number.NaN;
  const repaired = await scaled.stream(corpus);
  expect(item(repaired.variance.values, 3) / item(pruned.variance.values, 2)).toBeCloseTo(factor ** 2, 4);
  expect(item(repaired.codingRate.values, 3)).toBeCloseTo(item(pruned.codingRate.values, 3), 4);
});
