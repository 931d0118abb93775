import { expect, test } from "vitest";
import { otherBytes } from "../../../../src/experiment/study/known-texts.ts";

const known = "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08";
const other = "0".repeat(64);

test("a file that is called like a known text is held to its bytes, and no other file is", () => {
  expect(
    otherBytes({ "data/wikitext2.test.txt": known, "wikitext2.train.txt": other, "my.txt": other }),
  ).toEqual([]);
  expect(otherBytes({ "a/wiki.test.raw": other })).toEqual([
    expect.stringContaining("a/wiki.test.raw is called like the raw test part of WikiText-2"),
  ]);
  for (const name of ["WikiText-2.test.txt", "wikitext-2-raw-v1-test.txt", "wikitext2_test"]) {
    expect(otherBytes({ [name]: other })).toHaveLength(1);
  }
});
