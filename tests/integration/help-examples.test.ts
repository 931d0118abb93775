/** What each command's help ends with does what it says, line by line in the order of the commands. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { cli } from "./cli.ts";
import { tinyModel } from "./tiny-model.ts";

const runBash = (line: string) => promisify(execFile)("bash", ["-c", line], { cwd: folder });

/** They need another machine, an extra environment, or minutes, and have tests of their own. */
const elsewhere: readonly string[] = ["demo", "fetch", "lm-eval", "prune", "push", "worker"];

/** What keeps some short: less text than a choice needs, and fewer tokens than a figure does. */
const shorter: Readonly<Record<string, string>> = {
  influence: "--sequences 4 --length 64",
  shapley: "--sequences 2 --length 32 --evaluations 60",
  repair: "--sequences 4 --length 64",
  solve: "--limit 2 --max-new-tokens 4",
  generate: "--max-new-tokens 4",
  profile: "--prompt-tokens 16 --context-tokens 4 --new-tokens 2 --rounds 1 --warmup-rounds 0",
  search: "--fit 2 --choose 2 --report 2 --length 32",
  routes: "--fit 2 --choose 2 --train 4 --report 4 --length 64",
};

/** What a line leaves in its folder. */
const leaves: Readonly<Record<string, readonly string[]>> = {
  routes: ["routes/routes.json"],
  repair: ["repaired"],
  export: ["exported/model.safetensors", "smaller.gguf", "graphs/onnx/model.onnx"],
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
  const text = (lines: number, from: number) => Array.from({ length: lines }, (_, at) => line(from + at));
  const rows = (list: readonly object[]) => list.map((row) => `${JSON.stringify(row)}\n`).join("");
  const asked = Array.from({ length: 8 }, (_, at) => ({
    task: "arc_easy",
    question: `How many boats are ${at} and ${at}?`,
    choices: [String(at), String(at + at)],
    answer: 1,
  }));
  writeFileSync(join(folder, "calibration.jsonl"), rows(text(1000, 0).map((words) => ({ text: words }))));
  writeFileSync(join(folder, "test.txt"), text(100, 5000).join("\n"));
  writeFileSync(join(folder, "arc_easy.jsonl"), rows(asked));
  const written = asked.map(({ question, answer }) => ({ question, answer: String(answer) }));
  writeFileSync(join(folder, "gsm8k.jsonl"), rows(written));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every command has an example", () => {
  expect(commands.filter(({ examples }) => examples.length === 0)).toEqual([]);
});

test.each(commands.filter(({ name }) => !elsewhere.includes(name)))("$name", async ({ name, examples }) => {
  if (name === "plan") shorten(join(folder, "plan.yaml"));
  if (name === "compare")
    cpSync(join(folder, "runs/first"), join(folder, "runs/second"), { recursive: true });
  for (const example of examples) {
    const words = [process.execPath, ...cli].map((word) => `'${word}'`).join(" ");
    const line = example.replace(/(npx )?depthkit /, `${words} `).replaceAll("smollm2-135m", model);
    await runBash(`${line} ${shorter[name] ?? ""}`);
  }
  for (const file of leaves[name] ?? []) expect(existsSync(join(folder, file)), file).toBe(true);
});

function shorten(plan: string): void {
  const text = readFileSync(plan, "utf8")
    .replace("sequences: 16, length: 256", "sequences: 4, length: 32")
    .replace("chunk: 256, maxChunks: 16", "chunk: 32, maxChunks: 2");
  writeFileSync(plan, text);
}

test("a help ends with its examples", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [...cli, "evaluate", "--help"]);
  const examples = commands.find(({ name }) => name === "evaluate")?.examples ?? [];
  expect(stdout.trimEnd().endsWith(["Examples:", ...examples].join("\n  "))).toBe(true);
});
