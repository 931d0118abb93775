import { expect, test } from "vitest";
import { slug } from "../../../src/report/study/study.ts";

test("an id is what a name says in small letters, and tells names of other scripts and signs apart", () => {
  expect(slug("Removal", "SmolLM2-135M", "WikiText-2 test")).toBe("removal-smollm2-135m-wikitext-2-test");
  const ids = ["文本", "テキスト", "Gesetz+", "Gesetz*", "Gesetz"].map((name) => slug("removal", name));
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
});
