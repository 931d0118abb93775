import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { addRemovalFlags, parseRemoval, type RemovalFlags } from "../../../src/cli/removal-flag.ts";

const folder = mkdtempSync(join(tmpdir(), "depthkit-removal-"));
afterAll(() => rmSync(folder, { recursive: true }));
function file(content: unknown, name = "ranking.json"): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const chosen = (text: string) => {
  const removal = parseRemoval(text);
  return removal.by === "file" ? removal.units : removal;
};

test("units are named, or chosen by influence or angle", () => {
  expect(parseRemoval("3,attention.5")).toEqual({ by: "name", units: ["block.3", "attention.5"] });
  expect(parseRemoval("lowest:4")).toEqual({ by: "lowest", kind: "block", count: 4 });
  expect(parseRemoval("lowest:feed-forward:2")).toEqual({ by: "lowest", kind: "feed-forward", count: 2 });
  expect(parseRemoval("span:3")).toEqual({ by: "span", count: 3 });
});

test("a file has an order, scores, or what a command printed", () => {
  const order = ["block.9", "attention.4", "block.3+block.2"];
  const scores = { "block.0": 2, "block.1": -1, "block.2": 2, "block.3": 0.5 };
  expect(chosen(`from:${file(order)}`)).toEqual(order);
  expect(chosen(`from:${file(order)}:2`)).toEqual(order.slice(0, 2));
  const lowest = ["block.1", "block.3", "block.0"];
  expect(chosen(`from:${file(scores)}:3`)).toEqual(lowest);
  expect(chosen(`from:${file({ model: {}, influence: { values: {} }, name: "cosine", scores })}:3`)).toEqual(
    lowest,
  );
  expect(chosen(`from:${file({ model: {}, search: { removed: order, kept: [] } })}`)).toEqual(order);
  const score = (value: number) => ({ value, standardError: null });
  const ranked = { ranking: "cosine", scores: { "attention.0": score(2), "attention.1": score(1) } };
  const greedy = { ranking: "greedy", scores: null };
  expect(chosen(`from:${file({ recordVersion: 3, rankings: [greedy, ranked] })}:1`)).toEqual(["attention.1"]);
});

test.each([
  ["lowest:", "lowest:4 for four"],
  ["lowest:two", "lowest:4 for four"],
  ["lowest:0", "from 1"],
  ["span:", "span:4 for four"],
  ["from:", "names no file"],
  [`from:${join(folder, "nothing.json")}`, "Check the path"],
  [`from:${file("{", "torn.json")}`, "no JSON"],
  [`from:${file({}, "empty.json")}`, "holds nothing"],
  [`from:${file([], "none.json")}`, "empty list"],
  [`from:${file(7, "seven.json")}`, "it holds 7"],
  [`from:${file([3], "bare.json")}`, "it has 3 where a unit would be"],
  [`from:${file(["mlp.3"], "mlp.json")}`, '"mlp.3" is no unit'],
  [`from:${file(["block.1", "block.1"], "twice.json")}`, "block.1 twice"],
  [`from:${file({ "block.1": "low" }, "words.json")}:1`, 'the score of block.1 is "low"'],
  [`from:${file({ "block.1": 1 }, "one.json")}`, "does not say how many"],
  [`from:${file(["block.1"], "short.json")}:2`, "has 1 units, and 2 were asked for"],
  [`from:${file({ rankings: [{ ranking: "greedy", scores: null }] }, "record.json")}:2`, "has scores"],
  [
    `from:${file({ rankings: ["a", "b"].map((ranking) => ({ ranking, scores: {} })) }, "two.json")}:2`,
    "the rankings a, b, and one is read",
  ],
])("%s is refused", (text, said) => {
  expect(() => parseRemoval(text)).toThrow(said);
});

test.each([
  [["--remove", "lowest:4"], "--calibration, other than those"],
  [["--remove", "span:4"], "--calibration, other than those"],
  [["--remove", "4", "--calibration", "text.txt"], "Leave them out"],
  [["--calibration-length", "64"], "Leave them out"],
])("%j is refused before anything is done", (words, said) => {
  let message = "";
  let ran = false;
  const command = new Command("evaluate")
    .exitOverride()
    .configureOutput({ writeErr: (text) => (message += text) });
  addRemovalFlags(command).action(() => {
    ran = true;
  });
  expect(() => command.parse(["node", "evaluate", ...words])).toThrow();
  expect([ran, message.includes(said)]).toEqual([false, true]);
});

test("text to choose on goes with what is chosen", () => {
  let flags: RemovalFlags = {};
  const command = addRemovalFlags(new Command("evaluate")).action((given: RemovalFlags) => {
    flags = given;
  });
  command.parse(["node", "evaluate", "--remove", "span:2", "--calibration", "a.txt", "b.txt"]);
  expect(flags).toMatchObject({ remove: { by: "span", count: 2 }, calibration: ["a.txt", "b.txt"] });
});
