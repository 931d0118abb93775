import { expect, test } from "vitest";
import type { Subject } from "../../../src/evaluation/subject.ts";
import type { Corpus } from "../../../src/model/corpus.ts";
import { Influence, type InfluenceData } from "../../../src/model/influence.ts";
import { FitInfluence } from "../../../src/model/search/fit-influence.ts";

test("influence that was measured before is not measured again", async () => {
  const known = new Influence({ depth: 2 } as InfluenceData);
  // There is no worker to ask: to measure is to fail.
  const influence = new FitInfluence({} as Subject, {} as Corpus, known);
  expect(await influence.static({})).toBe(known);
  expect(await influence.static({ removed: [] })).toBe(known);
  await expect(influence.static({ removed: ["block.1"] })).rejects.toThrow();
});
