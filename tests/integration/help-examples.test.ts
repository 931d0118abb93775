/** What each command's help ends with does what it says, line by line in the order of the commands. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { cli } from "./cli.ts";
import { tinyModel } from "./tiny-model.ts";

const runBash = (line: string) => promisify(execFile)("bash", ["-c", line], { cwd: folder });

/** They need another machine, an extra environment, or minutes, and have tests of their own. */
const elsewhere: readonly string[] = ["demo", "fetch", "lm-eval", "prune", "worker"];

/** What a line leaves in its folder. */
const leaves: Readonly<Record<string, readonly string[]>> = {
  repair: ["repaired"],
  export: ["exported/model.safetensors"],
  init: ["plan.yaml"],
  run: ["runs/first/record.json"],
  report: ["runs/first/report/report.html"],
  table: ["first.csv"],
  keys: ["laptop.keys", "laptop.pub"],
};

let folder: string;
let model: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-examples-"));
  model = await tinyModel(folder, "", { blocks: 30, positions: 512 });
  const line = (seed: number) =>
    `Line ${seed} tells of ${seed * 7} boats that left port in year ${seed * 13}.`;
  const text = (from: number) => Array.from({ length: 2000 }, (_, at) => line(from + at));
  const rows = (list: readonly object[]) => list.map((row) => `${JSON.stringify(row)}\n`).join("");
  const asked = Array.from({ length: 8 }, (_, at) => ({
    task: "arc_easy",
    question: `How many boats are ${at} and ${at}?`,
    choices: [String(at), String(at + at)],
    answer: 1,
  }));
  writeFileSync(join(folder, "calibration.jsonl"), rows(text(0).map((words) => ({ text: words }))));
  writeFileSync(join(folder, "test.txt"), text(5000).join("\n"));
  writeFileSync(join(folder, "arc_easy.jsonl"), rows(asked));
  const written = asked.map(({ question, answer }) => ({ question, answer: String(answer) }));
  writeFileSync(join(folder, "gsm8k.jsonl"), rows(written));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every command has an example", () => {
  expect(commands.filter(({ examples }) => examples.length === 0)).toEqual([]);
});

test.each(commands.filter(({ name }) => !elsewhere.includes(name)))("$name", async ({ name, examples }) => {
  if (name === "compare")
    cpSync(join(folder, "runs/first"), join(folder, "runs/second"), { recursive: true });
  for (const example of examples) {
    const words = [process.execPath, ...cli].map((word) => `'${word}'`).join(" ");
    const line = example.replace(/(npx )?depthkit /, `${words} `).replaceAll("smollm2-135m", model);
    await runBash(line);
  }
  for (const file of leaves[name] ?? []) expect(existsSync(join(folder, file)), file).toBe(true);
});

test("a help ends with its examples", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [...cli, "evaluate", "--help"]);
  const examples = commands.find(({ name }) => name === "evaluate")?.examples ?? [];
  expect(stdout.trimEnd().endsWith(["Examples:", ...examples].join("\n  "))).toBe(true);
});
