/** The router's regression beside fitting again by hand, and on losses whose rule is known. */
import { Matrix, solve } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { fitRouter, least, predict, strengths } from "../../../src/routing/router.ts";
import { randomStream } from "../../../src/shapley/random.ts";

const random = randomStream(3, "router");
const normal = () =>
  Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
const rows = (count: number, width: number) =>
  Array.from({ length: count }, () => Array.from({ length: width }, normal));
const runsOf = (count: number, runs: number) =>
  Array.from({ length: count }, (_, at) => Math.floor((runs * at) / count));

/** Ridge with an intercept by the normal equations: (Z' Z + r I) w = Z' y on the rows that are left. */
function byHand(features: number[][], targets: number[], ridge: number, left: readonly number[]) {
  const of = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const width = item(features, 0).length;
  const means = Array.from({ length: width }, (_, at) =>
    of(left.map((row) => item(item(features, row), at))),
  );
  const mean = of(left.map((row) => item(targets, row)));
  const Z = new Matrix(left.map((row) => item(features, row).map((x, at) => x - item(means, at))));
  const y = Matrix.columnVector(left.map((row) => item(targets, row) - mean));
  const gram = Z.transpose().mmul(Z).add(Matrix.eye(width).mul(ridge));
  const w = solve(gram, Z.transpose().mmul(y)).to1DArray();
  return (row: readonly number[]) =>
    row.reduce((sum, x, at) => sum + item(w, at) * (x - item(means, at)), mean);
}

describe.each([
  ["fewer features than prompts", 24, 5],
  ["more features than prompts", 14, 40],
])("with %s", (_, count, width) => {
  const features = rows(count, width);
  const weights = rows(3, width);
  const losses = features.map((row) =>
    weights.map((own) => 2 + own.reduce((sum, w, at) => sum + w * item(row, at), 0) / 4 + normal() / 3),
  );
  const runs = runsOf(count, 4);
  const { router, heldOut } = fitRouter(features, losses, runs);
  const scaled = features.map((row) =>
    row.map((x, at) => (x - item(router.means, at)) / item(router.deviations, at)),
  );
  const excess = losses.map((row) => row.map((loss) => loss - row.reduce((a, b) => a + b) / row.length));

  test("a strength's held-out error is that of fitting again without each run", () => {
    for (const { strength, error } of heldOut) {
      let sum = 0;
      for (let mask = 0; mask < 3; mask++) {
        const targets = excess.map((row) => item(row, mask));
        for (const run of new Set(runs)) {
          const left = [...runs.keys()].filter((at) => runs[at] !== run);
          const fitted = byHand(scaled, targets, strength === null ? 1e12 : strength * width, left);
          for (const at of runs.keys()) {
            if (runs[at] === run) sum += (item(targets, at) - fitted(item(scaled, at))) ** 2;
          }
        }
      }
      expect(error / (sum / (3 * count))).toBeCloseTo(1, 6);
    }
  });

  test("the strength of least error is taken, and predicts as the normal equations do", () => {
    const leastError = Math.min(...heldOut.map(({ error }) => error));
    expect(heldOut.find(({ strength }) => strength === router.strength)?.error).toBe(leastError);
    if (router.strength === null) throw new Error("the losses follow the features");
    for (const mask of [0, 1, 2]) {
      const targets = excess.map((row) => item(row, mask));
      const fitted = byHand(scaled, targets, router.strength * width, [...runs.keys()]);
      for (const [at, row] of features.entries()) {
        expect(predict(router, row)[mask]).toBeCloseTo(fitted(item(scaled, at)), 8);
      }
    }
  });

  test("how hard a prompt is for all masks alike changes no route", () => {
    const harder = losses.map((row, at) => row.map((loss) => loss + 10 * at));
    const other = fitRouter(features, harder, runs).router;
    for (const row of features) {
      for (const [mask, expected] of predict(router, row).entries()) {
        expect(predict(other, row)[mask]).toBeCloseTo(expected, 8);
      }
    }
  });
});

test("it finds the rule of losses that follow a feature, on prompts it has not seen", () => {
  const of = (row: readonly number[]) => [item(row, 2), -item(row, 2)];
  const features = rows(60, 8);
  const { router } = fitRouter(features, features.map(of), runsOf(60, 5));
  for (const row of rows(200, 8)) {
    if (Math.abs(item(row, 2)) > 0.1) expect(least(predict(router, row))).toBe(least(of(row)));
  }
});

test("where features say nothing the router is the mask that is best in the mean", () => {
  const features = rows(40, 30);
  const losses = features.map(() => [3 + normal(), 1 + normal(), 2 + normal()]);
  const { router, heldOut } = fitRouter(features, losses, runsOf(40, 5));
  expect(heldOut).toHaveLength(strengths.length + 1);
  expect(router.strength).toBeNull();
  expect(router.weights.flat().every((weight) => weight === 0)).toBe(true);
  for (const row of rows(20, 30)) expect(least(predict(router, row))).toBe(1);
});

test("one mask is the route of all, and a feature that never varies has no weight", () => {
  const features = rows(12, 3).map((row) => [...row, 7]);
  const one = fitRouter(
    features,
    features.map(() => [normal()]),
    runsOf(12, 3),
  ).router;
  expect(one.strength).toBeNull();
  expect(predict(one, item(features, 0))).toEqual([0]);
  const two = fitRouter(
    features,
    features.map(([x = 0]) => [x, -x]),
    runsOf(12, 3),
  ).router;
  expect(two.deviations[3]).toBe(1);
  for (const weights of two.weights) expect(weights[3]).toBeCloseTo(0, 12);
});
