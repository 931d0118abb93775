import { expect, test } from "vitest";
import { Influence, type InfluenceData } from "../../../src/model/influence.ts";
import { proposeSkipWindow } from "../../../src/model/skip-window.ts";

const influenceOf = (cosine: readonly number[]) =>
  new Influence({ depth: cosine.length, values: { "feed-forward": { cosine } } } as unknown as InfluenceData);

test("a window is between the first and the last block that turns the stream no more than the median", () => {
  // A bump within it does not end it.
  expect(proposeSkipWindow(influenceOf([0.9, 0.3, 0.02, 0.01, 0.4, 0.03, 0.1]))).toEqual({
    start: 2,
    end: 7,
  });
  expect(proposeSkipWindow(influenceOf([0.9, 0.01, 0.02, 0.5]))).toEqual({ start: 1, end: 3 });
});

test("where all blocks are alike, all may be skipped", () => {
  expect(proposeSkipWindow(influenceOf([0.1, 0.1, 0.1]))).toEqual({ start: 0, end: 3 });
  expect(proposeSkipWindow(influenceOf([0.1]))).toEqual({ start: 0, end: 1 });
});
