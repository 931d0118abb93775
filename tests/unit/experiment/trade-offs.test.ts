import { expect, test } from "vitest";
import { compareScores, measureRemovalCosts } from "../../../src/experiment/trade-offs.ts";
import { renderRemovalCosts, renderTradeOffs } from "../../../src/report/trade-offs.ts";

const list = (name: string, values: number[]) => ({
  name,
  scores: Object.fromEntries(values.map((value, index) => [`block.${index}`, value])),
});
const loss = list("loss", [4, 1, 3, 2]);
const mmlu = list("mmlu", [4, 2, 3, 1]);
const reverse = list("reverse", [1, 4, 2, 3]);

test("rank correlations of known answers", () => {
  const { names, units, spearman, kendall } = compareScores([loss, mmlu, reverse]);
  expect(names).toEqual(["loss", "mmlu", "reverse"]);
  expect(units).toEqual(["block.0", "block.1", "block.2", "block.3"]);
  // 1 - 6 * (1 + 1) / (4 * 15); five of six pairs in the same order.
  expect(spearman[0]?.[1]).toBeCloseTo(0.8, 12);
  expect(kendall[0]?.[1]).toBeCloseTo(4 / 6, 12);
  expect(spearman[0]?.[2]).toBeCloseTo(-1, 12);
  expect(kendall[0]?.[2]).toBeCloseTo(-1, 12);
  for (const [index, row] of spearman.entries()) expect(row[index]).toBeCloseTo(1, 12);
  expect(spearman[1]?.[0]).toBeCloseTo(0.8, 12);
});

test("the lowest that lists share, k by k", () => {
  const { lowestOverlap } = compareScores([loss, mmlu, reverse]);
  expect(lowestOverlap.map((shares) => shares[0]?.[1])).toEqual([0, 1, 1, 1]);
  expect(lowestOverlap.map((shares) => shares[0]?.[2])).toEqual([0, 0, 2 / 3, 1]);
  expect(lowestOverlap.map((shares) => shares[1]?.[1])).toEqual([1, 1, 1, 1]);
});

test("units are matched by name, not by place", () => {
  const shuffled = { name: "same", scores: Object.fromEntries(Object.entries(loss.scores).reverse()) };
  expect(compareScores([loss, shuffled]).spearman[0]?.[1]).toBeCloseTo(1, 12);
});

test("what has no common ranks is refused", () => {
  expect(() => compareScores([])).toThrow("at least one list");
  expect(() => compareScores([loss, list("short", [1, 2, 3])])).toThrow("block.3 is in one of them only");
  expect(() => compareScores([loss, { ...mmlu, name: "loss" }])).toThrow('called "loss"');
  expect(() => compareScores([list("bad", [1, Number.NaN])])).toThrow("block.1");
});

test("removing by one list is measured under all values, each subnetwork once", async () => {
  const asked: string[][] = [];
  const weights = [4, 1, 3, 2];
  const result = await measureRemovalCosts(
    [loss, mmlu],
    async (removed) => {
      asked.push([...removed]);
      const lost = removed.reduce((sum, unit) => sum + (weights[Number(unit.split(".")[1])] ?? 0), 0);
      return { loss: 2 + lost, mmlu: 0.5 - removed.length / 10 };
    },
    { counts: [1, 2] },
  );
  expect(asked).toEqual([[], ["block.1"], ["block.1", "block.3"], ["block.3"]]);
  expect(result.measured).toBe(4);
  expect(result.whole).toEqual({ loss: 2, mmlu: 0.5 });
  expect(result.costs.map(({ by, removed, changes }) => [by, removed.length, changes["loss"]])).toEqual([
    ["loss", 1, 1],
    ["loss", 2, 3],
    ["mmlu", 1, 2],
    ["mmlu", 2, 3],
  ]);
  expect(result.costs[3]?.removed).toEqual(["block.3", "block.1"]);
  expect(renderRemovalCosts(result)).toMatchInlineSnapshot(`
    "removed by     units  loss  mmlu
    -------------  -----  ----  ----
    (whole model)      0     2   0.5
    loss               1    +1  -0.1
    loss               2    +3  -0.2
    mmlu               1    +2  -0.1
    mmlu               2    +3  -0.2"
  `);
});

test("a count outside the units, and a cancel", async () => {
  const measure = async () => ({ loss: 0 });
  await expect(measureRemovalCosts([loss], measure, { counts: [5] })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  await expect(measureRemovalCosts([loss], measure, { counts: [] })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  const signal = AbortSignal.abort();
  await expect(measureRemovalCosts([loss], measure, { counts: [1], signal })).rejects.toMatchObject({
    code: "CANCELLED",
  });
});

test("an order is removed from its front, beside scores or alone", async () => {
  const asked: string[] = [];
  const measure = async (removed: readonly string[]) => {
    asked.push(removed.join("+"));
    return { gone: removed.length };
  };
  const greedy = { name: "greedy", order: ["block.2", "attention.3", "block.1"] };
  const { costs, measured } = await measureRemovalCosts([loss, greedy], measure, { counts: [1, 2] });
  expect(costs.map(({ by, removed }) => [by, removed])).toEqual([
    ["loss", ["block.1"]],
    ["loss", ["block.1", "block.3"]],
    ["greedy", ["block.2"]],
    ["greedy", ["block.2", "attention.3"]],
  ]);
  expect([measured, asked]).toEqual([
    5,
    ["", "block.1", "block.1+block.3", "block.2", "block.2+attention.3"],
  ]);
  // The same units in another order are one subnetwork.
  const other = { name: "other", order: ["attention.3", "block.2"] };
  const both = await measureRemovalCosts([greedy, other], measure, { counts: [2] });
  expect(both.measured).toBe(2);
  const refused = (lists: Parameters<typeof measureRemovalCosts>[0], said: string) =>
    expect(measureRemovalCosts(lists, measure, { counts: [3] })).rejects.toThrow(said);
  await refused([greedy, other], 'removal of 3 of 2 units of "other"');
  await refused([{ name: "twice", order: ["block.1", "block.2", "block.1"] }], "block.1 twice");
  await refused([greedy, greedy], 'called "greedy"');
  await refused([{ name: "none", order: [] }], "lists.0");
});

test("as text", () => {
  const constant = list("flat", [1, 1, 1, 1]);
  expect(renderTradeOffs(compareScores([loss, mmlu, constant]), { lowest: [1, 2] })).toMatchInlineSnapshot(`
    "Spearman's rank correlation
          loss  mmlu  flat
    ----  ----  ----  ----
    loss  1.00  0.80     -
    mmlu  0.80  1.00     -
    flat     -     -     -

    Kendall's tau-b
          loss  mmlu  flat
    ----  ----  ----  ----
    loss  1.00  0.67     -
    mmlu  0.67  1.00     -
    flat     -     -     -

    Shared of the 1 lowest
          loss  mmlu  flat
    ----  ----  ----  ----
    loss  1.00  0.00  0.00
    mmlu  0.00  1.00  0.00
    flat  0.00  0.00  1.00

    Shared of the 2 lowest
          loss  mmlu  flat
    ----  ----  ----  ----
    loss  1.00  1.00  0.50
    mmlu  1.00  1.00  0.50
    flat  0.50  0.50  1.00"
  `);
});
