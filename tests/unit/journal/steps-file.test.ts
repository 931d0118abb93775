import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { StepsFile } from "../../../src/journal/steps-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = () => join(folder, "journal.jsonl");
const run = async (key: object, value: number, calls: number[]) => {
  await using journal = await StepsFile.open(path());
  return await journal.step(key, z.number(), async () => {
    calls.push(value);
    return value;
  });
};

test("a finished step is not done again", async () => {
  const calls: number[] = [];
  expect(await run({ step: 1 }, 5, calls)).toBe(5);
  expect(await run({ step: 1 }, 6, calls)).toBe(5);
  expect(calls).toEqual([5]);
});

test("a key that differs in anything is another step", async () => {
  const calls: number[] = [];
  await run({ step: 1, seed: 1 }, 5, calls);
  expect(await run({ step: 1, seed: 2 }, 6, calls)).toBe(6);
});

test("a last line that was cut short is skipped and its step done again", async () => {
  const calls: number[] = [];
  await run({ step: 1 }, 5, calls);
  const whole = readFileSync(path(), "utf8");
  appendFileSync(path(), '["abc",7');
  expect(await run({ step: 2 }, 7, calls)).toBe(7);
  expect(await run({ step: 1 }, 8, calls)).toBe(5);
  expect(readFileSync(path(), "utf8").startsWith(whole)).toBe(true);
  await using journal = await StepsFile.open(path());
  expect(journal.damaged).toBe(1);
});

test.each([
  ["a digit that flipped", (line: string) => line.replace(",5,", ",6,")],
  ["no JSON any more", (line: string) => line.slice(5)],
  ["binary", () => "\u0000\ufffd"],
])("a line in the middle that is damaged, %s, costs its own step alone", async (_, damage) => {
  const calls: number[] = [];
  for (const step of [1, 2, 3]) await run({ step }, 5, calls);
  const lines = readFileSync(path(), "utf8").split("\n");
  writeFileSync(path(), lines.map((line, index) => (index === 2 ? damage(line) : line)).join("\n"));
  const again: number[] = [];
  for (const step of [1, 2, 3]) expect(await run({ step }, 5, again)).toBe(5);
  expect(again).toHaveLength(1);
});

test("what a step gave in another form is done again", async () => {
  const calls: number[] = [];
  await run({ step: 1 }, 5, calls);
  await using journal = await StepsFile.open(path());
  expect(await journal.step({ step: 1 }, z.string(), async () => "five")).toBe("five");
});

test("a file of another kind is refused and left as it is", async () => {
  writeFileSync(path(), '{"key":"from an older version"}\n');
  await expect(StepsFile.open(path())).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  expect(readFileSync(path(), "utf8")).toBe('{"key":"from an older version"}\n');
});

test("a folder that is a file is refused with its name", async () => {
  writeFileSync(join(folder, "taken"), "");
  await using journal = await StepsFile.open(join(folder, "taken", "journal.jsonl"));
  await expect(journal.keep({ step: 1 }, 5)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("taken"),
  });
});

test("nothing is made before a step is finished", async () => {
  const inner = join(folder, "run", "journal.jsonl");
  await (await StepsFile.open(inner)).close();
  expect(existsSync(join(folder, "run"))).toBe(false);
  await using journal = await StepsFile.open(inner);
  await Promise.all([1, 2].map((step) => journal.keep({ step }, step)));
  await journal.close();
  await using again = await StepsFile.open(inner);
  expect([1, 2, 3].map((step) => again.knows({ step }))).toEqual([true, true, false]);
});
