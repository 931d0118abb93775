/** What `--remove` chooses by itself is what the SDK chooses, in every command that takes it. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cli } from "./cli.ts";
import { tinyModel } from "./tiny-model.ts";

let folder: string;
let model: readonly string[];
let influence: { scores: Record<string, number>; influence: { angular: number[][] } };
const text = ["--sequences", "3", "--length", "32"];
const calibration = [
  "--calibration",
  "text.txt",
  "--calibration-sequences",
  "3",
  "--calibration-length",
  "32",
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-removal-"));
  const lines = Array.from({ length: 80 }, (_, day) => `On day ${day} the fox counted ${day * 7} stones.`);
  writeFileSync(join(folder, "text.txt"), lines.join("\n"));
  model = ["--model", await tinyModel(folder), "--device", "cpu"];
  const { stdout } = await run(["influence", ...model, "--data", "text.txt", ...text, "--json"]);
  influence = JSON.parse(stdout);
  writeFileSync(join(folder, "influence.json"), stdout);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (args: readonly string[]) =>
  promisify(execFile)(process.execPath, [...cli, ...args], { cwd: folder, maxBuffer: 2 ** 26 });

function lowestOf(scores: Record<string, number>, count: number): string[] {
  const ranked = Object.entries(scores).sort(([, a], [, b]) => a - b);
  return ranked.slice(0, count).map(([unit]) => unit);
}

test("lowest: is the least cosine influence on the calibration text", async () => {
  const lowest = lowestOf(influence.scores, 2);
  const data = ["--data", "text.txt", "--chunk", "64", "--max-chunks", "1", "--json"];
  const { stdout, stderr } = await run([
    "evaluate",
    ...model,
    "--remove",
    "lowest:2",
    ...calibration,
    ...data,
  ]);
  expect(JSON.parse(stdout).results[0].removed).toEqual([...lowest].sort());
  expect(stderr).toContain(
    `Removing ${lowest.join(", ")}: block units of least cosine influence on text.txt, 3 x 32 tokens.`,
  );
});

test("span: is the run of least angle, gone from what is exported", async () => {
  const run2 = influence.influence.angular[1] ?? [];
  const start = run2.indexOf(Math.min(...run2.filter((distance) => distance > 0)));
  const removed = [`block.${start}`, `block.${start + 1}`];
  const { stdout, stderr } = await run([
    ...["export", ...model, "--remove", "span:2", ...calibration],
    ...["--out", "smaller", "--json"],
  ]);
  expect(JSON.parse(stdout).export.removed).toEqual(removed);
  expect(stderr).toContain(`Removing ${removed.join(", ")}: the run of least angle`);
});

test("from: takes what influence and shapley print, and lists of units", async () => {
  const prompt = ["--prompt", "On day", "--max-new-tokens", "1", "--json"];
  const first = await run(["generate", ...model, "--remove", "from:influence.json:3", ...prompt]);
  const lowest = lowestOf(influence.scores, 3);
  expect(JSON.parse(first.stdout).removed).toEqual([...lowest].sort());
  expect(first.stderr).toContain(`Removing ${lowest.join(", ")}: the first 3 of 6 in influence.json.`);

  const shapley = await run([
    ...["shapley", ...model, "--data", "text.txt", "--sequences", "1", "--length", "16"],
    ...["--units", "attention", "--method", "exact", "--horizon", "6", "--evaluations", "64", "--json"],
  ]);
  writeFileSync(join(folder, "shapley.json"), shapley.stdout);
  const { scores } = JSON.parse(shapley.stdout);
  expect(Object.keys(scores)).toHaveLength(6);
  const second = await run(["profile", ...model, "--remove", "from:shapley.json:2", ...quick, "--json"]);
  expect(JSON.parse(second.stdout).removed).toEqual(lowestOf(scores, 2).sort());

  writeFileSync(join(folder, "order.json"), JSON.stringify(["feed-forward.3", "block.1"]));
  const third = await run([
    ...["solve", ...model, "--remove", "from:order.json", "--probe", "copying", "--limit", "1"],
    ...["--max-new-tokens", "1", "--json"],
  ]);
  expect(JSON.parse(third.stdout).removed).toEqual(["block.1", "feed-forward.3"]);
});

const quick = ["--prompt-tokens", "8", "--context-tokens", "4", "--new-tokens", "2", "--rounds", "1"];

test("without text to choose on it is refused, before a worker is started", async () => {
  const refused = run(["evaluate", ...model, "--data", "text.txt", "--remove", "lowest:2"]);
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--calibration, other than those that are scored on/),
  });
});
