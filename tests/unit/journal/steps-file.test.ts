import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { Journal } from "../../../src/experiment/journal.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = () => join(folder, "journal.jsonl");
const run = async (key: unknown, value: number, calls: number[]) => {
  const journal = new Journal(path());
  const result = await journal.step(key, z.number(), async () => {
    calls.push(value);
    return value;
  });
  journal.close();
  return result;
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

test("a last line that was cut short is dropped and the step done again", async () => {
  const calls: number[] = [];
  await run({ step: 1 }, 5, calls);
  const whole = readFileSync(path(), "utf8");
  appendFileSync(path(), '{"key":"abc","val');
  expect(await run({ step: 2 }, 7, calls)).toBe(7);
  expect(await run({ step: 1 }, 8, calls)).toBe(5);
  expect(readFileSync(path(), "utf8").startsWith(whole)).toBe(true);
  expect(readFileSync(path(), "utf8").trimEnd().split("\n")).toHaveLength(2);
});

test("a folder that is a file is refused with its name", () => {
  writeFileSync(join(folder, "taken"), "");
  expect(() => new Journal(join(folder, "taken", "journal.jsonl"))).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("taken") }),
  );
});
