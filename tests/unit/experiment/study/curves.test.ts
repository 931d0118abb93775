import { expect, test } from "vitest";
import { claimsOf } from "../../../../src/experiment/study/claims.ts";
import { compareSubnetworks, curvesOf, isLowerBetter } from "../../../../src/experiment/study/curves.ts";
import type { StudyRecord } from "../../../../src/index.ts";

/** A study of one ranking whose losses per chunk are these, at so many of ten blocks. */
function recordOf(whole: number[], byRemoval: Record<number, number[]>): StudyRecord {
  const mean = (items: number[]) => items.reduce((sum, one) => sum + one, 0) / items.length;
  const subnetwork = (id: string, count: number) => ({
    id,
    model: "m",
    removed: Array.from({ length: count }, (_, block) => `block.${block}`),
    repair: null,
    costs: { parameters: 1000 - 50 * count, "kv-bytes": 100 - 10 * count },
    error: null,
  });
  const result = (id: string, items: number[]) => ({
    subnetwork: id,
    evaluation: "text",
    values: { loss: { value: mean(items), standardError: null } },
    perItem: items,
    aboveWhole: {
      value: mean(items) - mean(whole),
      standardError: deviation(items.map((one, at) => one - (whole[at] ?? 0))) / Math.sqrt(items.length),
    },
    error: null,
  });
  const deviation = (items: number[]) =>
    Math.sqrt(items.reduce((sum, one) => sum + (one - mean(items)) ** 2, 0) / (items.length - 1));
  const counts = Object.keys(byRemoval).map(Number);
  const units = { by: "influence", name: "cosine", units: "block", metric: "cosine", of: "own" };
  return {
    plan: { rankings: [units], repairs: [], evaluations: [{ name: "text" }], draws: 1 },
    models: [{ name: "m", info: { depth: 10 } }],
    subnetworks: [subnetwork("s0", 0), ...counts.map((count) => subnetwork(`s${count}`, count))],
    points: counts.map((removal) => ({
      model: "m",
      calibration: "c",
      draw: 0,
      ranking: "cosine",
      removal,
      repair: null,
      subnetwork: `s${removal}`,
    })),
    results: [result("s0", whole), ...counts.map((count) => result(`s${count}`, byRemoval[count] ?? []))],
    rankings: [],
  } as unknown as StudyRecord;
}

test("a curve starts at the whole model, and its intervals are of paired differences", () => {
  const record = recordOf([3, 5, 7, 9], { 1: [3.1, 5.2, 7.1, 9.2], 2: [4, 6, 8, 10] });
  const [curve] = curvesOf(record);
  expect(curve).toMatchObject({ ranking: "cosine", repair: null, measure: "loss", whole: 6 });
  expect(curve?.points.map(({ removal, units, parameterShare }) => [removal, units, parameterShare])).toEqual(
    [
      [0, 0, 0],
      [1, 1, 0.05],
      [2, 2, 0.1],
    ],
  );
  const [, one, two] = curve?.points ?? [];
  // Differences of 0.1, 0.2, 0.1 and 0.2: their deviation is 0.0577, and t is 3.182 with three degrees.
  expect(one?.above).toBeCloseTo(0.15, 12);
  expect((one?.high ?? 0) - (one?.low ?? 0)).toBeCloseTo((2 * 3.182446 * 0.0577350269) / 2, 5);
  // A text that is hard for both says nothing of the difference.
  expect([two?.low, two?.high]).toEqual([1, 1]);
});

test("of losses and perplexities less is better, of shares of right answers more", () => {
  const lower = [
    "loss",
    "choice-loss",
    "kl",
    "perplexity",
    "wikitext word_perplexity",
    "wikitext bits_per_byte",
  ];
  expect(lower.filter((measure) => !isLowerBetter(measure))).toEqual([]);
  const higher = ["accuracy", "rouge-l", "pass@4", "arc_easy acc_norm", "gsm8k exact_match strict-match"];
  expect(higher.filter(isLowerBetter)).toEqual([]);
});

test("two subnetworks are compared chunk by chunk, or not at all", () => {
  const record = recordOf([3, 5], { 1: [3.5, 5.5], 2: [4, 6], 3: [4] });
  expect(compareSubnetworks(record, "text", ["s2"], ["s1"])).toMatchObject({
    above: 0.5,
    low: 0.5,
    high: 0.5,
    of: 2,
  });
  expect(compareSubnetworks(record, "text", ["s3"], ["s1"])).toBeNull();
  expect(compareSubnetworks(record, "text", ["s9"], ["s1"])).toBeNull();
});

test.each([
  ["held", [3.01, 5.02, 7.01]],
  ["did-not-hold", [3.5, 5.6, 7.5]],
  ["cannot-be-told", [3.0, 5.3, 6.95]],
])("a tenth of the blocks being nearly free %s", (verdict, losses) => {
  const [claim, attention] = claimsOf(recordOf([3, 5, 7], { 1: losses }));
  expect(claim).toMatchObject({ verdict, evaluation: "text" });
  // What was not measured cannot be told, and says what it takes.
  expect(attention).toMatchObject({ verdict: "cannot-be-told", difference: null });
  expect(attention?.evidence).toContain("No ranking of attention units");
});
