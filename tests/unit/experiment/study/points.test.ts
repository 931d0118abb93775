import { expect, test } from "vitest";
import type { Condition } from "../../../../src/experiment/study/open.ts";
import type { SettledRepair } from "../../../../src/experiment/study/plan.ts";
import { type Found, Points } from "../../../../src/experiment/study/points.ts";
import type { UnitName } from "../../../../src/index.ts";

const condition = (draw: number) => ({ calibration: { name: "text" }, draw }) as Condition;
const found = (ranking: string, draw: number, ...sets: UnitName[][]): Found => ({
  condition: condition(draw),
  ranking,
  ranked: {
    units: [],
    scores: null,
    estimated: null,
    evaluations: 0,
    notes: [],
    sets: sets.map((removed) => ({ removal: removed.length, removed, error: null })),
  },
});
const fold: SettledRepair = {
  name: "fold",
  steps: [],
  where: { rankings: ["one"], counts: [2] },
} as unknown as SettledRepair;

test("what several rankings and draws lead to is one subnetwork; a repair is one for each draw", () => {
  const both: UnitName[] = ["block.1", "block.2"];
  const points = new Points(
    "s",
    [
      found("one", 0, ["block.1"], both),
      found("other", 0, ["block.1"], ["block.1", "block.3"]),
      found("one", 1, ["block.2"], both),
    ],
    [fold],
  );
  expect(
    points.subjects.map(({ id, removed, repair }) => [id, removed.length, repair?.condition.draw]),
  ).toEqual([
    ["s0", 0, undefined],
    ["s1", 1, undefined],
    ["s2", 2, undefined],
    ["s3", 2, undefined],
    ["s4", 1, undefined],
    ["s5", 2, 0],
    ["s6", 2, 1],
  ]);
  expect(points.points).toHaveLength(8);
  expect(points.wantedBy(undefined)).toEqual(points.subjects);
  const ids = (where: Parameters<Points["wantedBy"]>[0]) => points.wantedBy(where).map(({ id }) => id);
  // The whole model is always among them: everything is compared with it.
  expect(ids({ rankings: ["other"] })).toEqual(["s0", "s1", "s3"]);
  expect(ids({ repairs: ["fold"] })).toEqual(["s0", "s5", "s6"]);
  expect(ids({ counts: [1], repairs: ["none"] })).toEqual(["s0", "s1", "s4"]);
});
