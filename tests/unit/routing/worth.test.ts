/** What routing is worth, on tables whose answer is known. */
import { expect, test } from "vitest";
import { meanOverDomains, routingWorth } from "../../../src/routing/worth.ts";

// Each domain's own mask is better there by 1 nat, give or take.
const values = [
  [1, 2.1],
  [1.2, 2.1],
  [3, 2],
  [3.2, 2.1],
];
const table = { values, domains: [0, 0, 1, 1], routes: [0, 0, 1, 1], single: 0, lowerIsBetter: true };

test("the oracle bounds every way from below, and one mask for all is the single one", () => {
  const { single, router, byDomain, oracle, sentence } = routingWorth(table, true);
  expect(single).toMatchObject({ value: (1.1 + 3.1) / 2, gain: 0, gains: false });
  expect(router.value).toBeCloseTo((1.1 + 2.05) / 2, 12);
  expect(router.gain).toBeCloseTo((0 + 1.05) / 2, 12);
  // The first domain's differences are 0, the second's 1 and 1.1.
  expect(router.gainStandardError).toBeCloseTo(0.05 / 2, 12);
  expect(router.gains).toBe(true);
  expect([byDomain, oracle]).toEqual([router, router]);
  expect(sentence).toContain("the router gains 0.525 (standard error 0.025, two of them or more)");
  for (const routes of [
    [0, 1, 0, 1],
    [1, 1, 1, 1],
    [1, 0, 0, 1],
  ]) {
    const worth = routingWorth({ ...table, routes }, true);
    expect(worth.router.value).toBeGreaterThanOrEqual(worth.oracle.value);
    expect(worth.oracle).toEqual(oracle);
  }
});

test("a router that loses says so, and one mask is recommended", () => {
  const { router, sentence } = routingWorth({ ...table, routes: [1, 1, 0, 0] }, false);
  expect(router.gain).toBeCloseTo(-1 / 2, 12);
  expect(router.gains).toBe(false);
  expect(sentence).toContain("the router loses 0.5 (standard error 0.05, two of them or more)");
  expect(sentence).toContain("One mask serves better than this router.");
  expect(sentence).not.toContain("own mask");
});

test("an oracle that gains less than two standard errors says that routing can be left out", () => {
  const rare = Array.from({ length: 12 }, (_, at) => [1, at === 5 ? 0 : 1.5]);
  const one = { ...table, values: rare, domains: rare.map(() => 0), routes: rare.map(() => 0) };
  const { oracle, sentence } = routingWorth(one, false);
  expect(oracle.gain).toBeCloseTo(1 / 12, 12);
  expect(oracle.gainStandardError).toBeCloseTo(1 / 12, 12);
  expect(oracle.gains).toBe(false);
  expect(sentence).toContain("(standard error 0.0833, less than two of them) over the best single mask.");
  expect(sentence).toContain("One mask serves as well; leave routing out.");
  // Nothing gained on any sequence is no gain, though its error is 0.
  expect(routingWorth({ ...one, values: rare.map(() => [1, 1]) }, false).oracle).toMatchObject({
    gain: 0,
    gainStandardError: 0,
    gains: false,
  });
});

test("of accuracy more is better", () => {
  const correct = [
    [0, 1],
    [0, 1],
    [1, 1],
    [1, 0],
  ];
  const task = {
    ...table,
    values: correct,
    domains: [0, 0, 0, 0],
    routes: [1, 1, 1, 0],
    lowerIsBetter: false,
  };
  const { single, router, oracle } = routingWorth(task, false);
  expect([single.value, router.value, oracle.value]).toEqual([0.5, 1, 1]);
  expect(router.gain).toBe(0.5);
});

test("domains count alike, however many sequences they have", () => {
  const { mean, standardError } = meanOverDomains([1, 3, 10, 10, 10, 10], [0, 0, 1, 1, 1, 1]);
  expect(mean).toBe(6);
  // The first domain's mean has the variance 2 / 2, the second's 0; half of each goes in.
  expect(standardError).toBeCloseTo(1 / 2, 12);
  expect(() => meanOverDomains([1, 2, 3], [0, 0, 1])).toThrowError("two or more of each");
});
