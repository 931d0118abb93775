import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type ProbeName, probe, probeNames } from "../../../src/experiment/probes.ts";

/** What the right answer is, worked out from the question alone. */
const solve: Record<ProbeName, (question: string) => string> = {
  sums: (question) => {
    const [one = "", other = ""] = question.split(" + ");
    return String(Number(one) + Number(other));
  },
  brackets: (question) => {
    const open: string[] = [];
    for (const one of question.split(" ")) open.unshift(one);
    return open.map((one) => ({ "(": ")", "[": "]", "{": "}" })[one]).join(" ");
  },
  copying: (question) => question,
  sorting: (question) => {
    const codes = question.split(" ").map((letter) => letter.charCodeAt(0));
    return codes
      .sort((a, b) => a - b)
      .map((code) => String.fromCharCode(code))
      .join(" ");
  },
  lookup: (question) => {
    const key = /The number of (\w+)$/.exec(question)?.[1];
    return new RegExp(`^${key}: (\\d+)$`, "m").exec(question)?.[1] ?? "";
  },
};

test.each(probeNames)("%s: every answer is the right one, and questions differ", (name) => {
  const { data, options } = probe(name, { items: 200, shots: 3, seed: 7 });
  expect(data.rows).toHaveLength(203);
  expect(options).toMatchObject({ shots: 3, score: "exact" });
  for (const { question, answer } of data.rows) expect(answer).toBe(solve[name](question));
  expect(new Set(data.rows.map(({ question }) => question)).size).toBe(203);
});

test("a seed gives the same questions on every machine, and more items add to them", () => {
  const digest = (name: ProbeName) =>
    createHash("sha256")
      .update(JSON.stringify(probe(name).data.rows))
      .digest("hex")
      .slice(0, 12);
  expect(Object.fromEntries(probeNames.map((name) => [name, digest(name)]))).toMatchInlineSnapshot(`
    {
      "brackets": "09c537093add",
      "copying": "937563a8ec36",
      "lookup": "8e58cde279b8",
      "sorting": "8baa395ac021",
      "sums": "831b5700bfbb",
    }
  `);
  const [few, many] = [probe("sums", { items: 5 }), probe("sums", { items: 9 })];
  expect(many.data.rows.slice(0, 10)).toEqual(few.data.rows);
  expect(probe("sums", { seed: 1 }).data).not.toEqual(probe("sums").data);
});

test("a name and a number that it does not take are refused", () => {
  expect(() => probe("chess" as ProbeName)).toThrow("one of sums, brackets");
  expect(() => probe("sums", { items: 0 })).toThrow("items: expected a whole number from 1 to 1000; got 0.");
});
