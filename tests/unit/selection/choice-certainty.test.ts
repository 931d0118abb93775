import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { choiceCertainty } from "../../../src/selection/choice-certainty.ts";
import { compareChoices } from "../../../src/selection/compare-choices.ts";
import { randomStream } from "../../../src/shapley/random.ts";
import { tTail } from "../../../src/shapley/student-t.ts";

const players = ["block.0", "block.1", "block.2", "block.3"];
const truth = [0, 0.5, 1.2, 2];
const noise = 0.8;

/** P(a score drawn for `player` is the lowest), by the midpoint rule over where it falls. */
function chanceOfLowest(player: number): number {
  const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const above = (x: number) => tTail(x, Number.POSITIVE_INFINITY);
  const step = 0.001;
  let chance = 0;
  for (let x = -8; x < 8; x += step) {
    const score = item(truth, player) + noise * x;
    const others = truth.reduce(
      (product, mean, other) => (other === player ? product : product * above((score - mean) / noise)),
      1,
    );
    chance += density(x) * others * step;
  }
  return chance;
}

describe("over draws with noise of known size", () => {
  const draws = 1200;
  const random = randomStream(11, "scores");
  const scores = Array.from({ length: draws }, () => truth.map((mean) => mean + noise * random.normal()));

  test("each unit is among the lowest as often as the noise says, within binomial error", () => {
    const certainty = choiceCertainty({ players, scores, lowest: 1 });
    for (const { player, share } of certainty.players) {
      const chance = chanceOfLowest(players.indexOf(player));
      expect(Math.abs(share - chance), player).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / draws));
    }
    expect(certainty.players.map(({ player }) => player)).toEqual(players);
    // Two draws agree with the sum of the squared chances.
    const agree = players.reduce((sum, _, i) => sum + chanceOfLowest(i) ** 2, 0);
    expect(certainty.overlap.mean).toBeCloseTo(agree, 1);
    expect(certainty.overlap.byChance).toBe(0.25);
  });

  test("the interval of a share holds about 95 of 100 times", () => {
    const chance = chanceOfLowest(0);
    const size = 40;
    let held = 0;
    for (let at = 0; at < draws; at += size) {
      const { players: found } = choiceCertainty({ players, scores: scores.slice(at, at + size), lowest: 1 });
      const [low = 1, high = 0] = found.find(({ player }) => player === "block.0")?.interval ?? [];
      if (low <= chance && chance <= high) held++;
    }
    // 30 groups of 40 draws; four standard errors of the binomial below 95%.
    expect(held).toBeGreaterThanOrEqual(24);
  });
});

test("choices as sets: frequencies, overlap and the spread of results", () => {
  const certainty = choiceCertainty({
    players,
    choices: [
      ["block.1", "block.2"],
      ["block.2", "block.3"],
      ["block.1", "block.2"],
    ],
    results: [-3, -3.3, -3.6],
  });
  expect(certainty.players.map(({ player, times }) => [player, times])).toEqual([
    ["block.2", 3],
    ["block.1", 2],
    ["block.3", 1],
    ["block.0", 0],
  ]);
  expect(certainty.overlap).toEqual({ mean: 2 / 3, least: 0.5, byChance: 0.5 });
  expect(certainty.results?.mean).toBeCloseTo(-3.3, 12);
  expect(certainty.results?.deviation).toBeCloseTo(0.3, 12);
});

describe("two ways to choose", () => {
  /** Both see the same draws; the second is worth `less` less, and each has a noise of its own. */
  function results(seed: number, draws: number, less: number) {
    const random = randomStream(seed, "results");
    const shared = Array.from({ length: draws }, () => random.normal());
    const of = (mean: number) => shared.map((both) => mean + both + 0.1 * random.normal());
    return [
      { name: "greedy", results: of(0) },
      { name: "cosine", results: of(-less) },
    ] as const;
  }

  test("alike ones are told apart no more often than the confidence allows", () => {
    const trials = 2000;
    let larger = 0;
    for (let seed = 0; seed < trials; seed++) {
      if (compareChoices(...results(seed, 5, 0)).largerThanNoise) larger++;
    }
    // 5% of 2,000, within four standard errors of the binomial.
    expect(Math.abs(larger / trials - 0.05)).toBeLessThan(4 * Math.sqrt((0.05 * 0.95) / trials));
  });

  test("a difference far above the noise is told, although each draw moves both by more than that", () => {
    const [first, second] = results(1, 5, 0.8);
    const comparison = compareChoices(first, second);
    expect(comparison.largerThanNoise).toBe(true);
    expect(comparison.interval[0]).toBeGreaterThan(0);
    expect(comparison.deviations[0]).toBeGreaterThan(0.3);
    expect(comparison.sentence).toMatch(/^Over 5 draws of text greedy is worth 0\.\d+ more than cosine .*: /);
    expect(comparison.sentence).toMatch(/: the difference is larger than calibration noise\.$/);
    const other = compareChoices(second, first);
    expect(other.difference).toBeCloseTo(-comparison.difference, 12);
    expect(other.sentence).toContain("cosine is worth");
    expect(other.sentence).toContain("less than greedy");
  });

  test("a difference within the noise is said to be that", () => {
    const comparison = compareChoices(...results(3, 5, 0.01));
    expect(comparison.largerThanNoise).toBe(false);
    expect(comparison.sentence).toMatch(/not larger than calibration noise\.$/);
  });

  test.each([
    [[1], [1]],
    [[1, 2], [1]],
    [
      [1, Number.NaN],
      [1, 2],
    ],
  ])("%j against %j is refused", (one, other) => {
    expect(() => compareChoices({ name: "a", results: one }, { name: "b", results: other })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

test.each([
  { choices: [["block.0"]] },
  { choices: [["block.0"], ["block.9"]] },
  { scores: [[1, 2, 3, 4]] },
  {
    scores: [
      [1, 2, 3],
      [1, 2, 3],
    ],
    lowest: 1,
  },
  { choices: [["block.0"], ["block.1"]], results: [1] },
])("%j is refused", (draws) => {
  expect(() => choiceCertainty({ players, ...draws })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
