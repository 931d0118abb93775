import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { commands } from "../../src/cli/commands.ts";
import { settlePlan } from "../../src/experiment/study/settle.ts";
import { errorDocument } from "../../src/schemas.ts";
import { cli } from "./cli.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-cli-"));
  await tinyModel(folder, LIVELY, { blocks: 30 });
  const text = Array.from(
    { length: 300 },
    (_, index) => `Line ${index} of a plain text about nothing much.`,
  ).join("\n");
  writeFileSync(join(folder, "text.txt"), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [...cli, ...args], { cwd: folder, env: { ...process.env, ...env } });
}

async function finish(child: ChildProcess) {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (text) => {
    stdout += text;
  });
  child.stderr?.on("data", (text) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

const run = (args: readonly string[], env?: Record<string, string>) => finish(start(args, env));
const bundled = ["--model", "smollm2-135m", "--device", "cpu"];
/** Of as many blocks, and loaded in a fraction of the time. */
const model = ["--model", "tiny", "--device", "cpu"];

test("influence --json is one document on standard output, progress goes elsewhere", async () => {
  const args = ["influence", ...model, "--data", "text.txt", "--sequences", "2", "--length", "64", "--json"];
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(JSON.parse(stdout)).toMatchObject({
    model: { depth: 30 },
    corpus: { sequences: 2 },
    influence: { tokens: 128 },
  });
  expect(stderr).toContain("influence");
});

test("influence draws a bar for each block and ranks them", async () => {
  const { code, stdout } = await run([
    "influence",
    ...model,
    "--data",
    "text.txt",
    "--sequences",
    "2",
    "--length",
    "64",
    "--dump-tokens",
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^First tokens of the first sequence: \d+ "Line", \d+ "Ġ",/m);
  expect(stdout.match(/^block\.\d+ +█/gm)).toHaveLength(30);
  expect(stdout).toContain("Lowest first:");
});

test("influence by gradients ranks both kinds of sublayers together, and says how", async () => {
  const text = ["--data", "text.txt", "--sequences", "2", "--length", "32"];
  const { code, stdout, stderr } = await run([
    ...["influence", ...model, ...text],
    ...["--metric", "taylor", "--units", "sublayers"],
  ]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain("by the unit's number of weights");
  expect(stdout.match(/^(attention|feed-forward)\.\d+ /gm)).toHaveLength(60);
});

test("shapley estimates among candidates, and says so", async () => {
  const data = ["--data", "text.txt", "--sequences", "1", "--length", "32"];
  const args = ["shapley", ...model, ...data, "--candidates", "4", "--horizon", "2", "--evaluations", "16"];
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain("horizon 2 values of the 4 of least cosine influence among the block units");
  expect(stdout).toContain("by exact in place of regression");
  expect(stdout.match(/^block\.\d+ +-?[0-9.]/gm)).toHaveLength(4);
});

test("search chooses among candidates, saves the winner, and another command takes it", async () => {
  const data = ["--data", "text.txt", "--length", "32", "--fit", "2", "--choose", "1", "--report", "1"];
  const repair = [
    "--repair",
    "low-rank",
    "--rank",
    "4",
    "--ridge",
    "0.1",
    "--runs",
    "1",
    "--skip-tokens",
    "1",
  ];
  const args = [
    "search",
    ...model,
    ...data,
    "--budget",
    "2",
    "--candidates",
    "4",
    ...repair,
    "--save",
    "winner",
  ];
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const [, ...removed] = /^Remove (block\.\d+), (block\.\d+)$/m.exec(stdout) ?? [];
  expect(removed).toHaveLength(2);
  expect(stdout).toContain("2 of 30 units by greedy");
  expect(stdout).toMatch(/^chosen on +1 x 32 tokens +loss/m);
  expect(stdout).toMatch(/^reported on +1 x 32 tokens +loss/m);
  const generate = ["generate", ...model, "--subnetwork", "winner", "--prompt", "The", "--json"];
  const saved = await run([...generate, "--max-new-tokens", "1"]);
  expect(saved).toMatchObject({ code: 0 });
  const written = JSON.parse(saved.stdout) as { removed: string[] };
  expect(written.removed.sort()).toEqual(removed.sort());
});

test("search refuses what says how to repair where nothing is repaired", async () => {
  const data = ["--data", "text.txt", "--rank", "4", "--runs", "1"];
  const { code, stderr } = await run(["search", ...model, ...data, "--budget", "2"]);
  expect(code).toBe(2);
  expect(stderr).toContain("Without --repair there is nothing for --rank, --runs to say.");
});

test("search refuses a budget that it cannot read, and says which there are", async () => {
  const { code, stderr } = await run(["search", ...model, "--data", "text.txt", "--budget", "many"]);
  expect(code).toBe(2);
  expect(stderr).toContain("many");
});

test("run carries out a plan from a file, and the same command takes what is there", async () => {
  const plan = [
    "model: { source: tiny, device: cpu }",
    "calibration: { data: text.txt, sequences: 2, length: 32 }",
    "rankings: [{ by: influence }]",
    "removals: [1]",
    "repairs: [{ method: fold }, { method: emulated-update }]",
    "evaluations: [{ kind: perplexity, data: text.txt, chunk: 32, maxChunks: 2 }]",
  ];
  writeFileSync(join(folder, "plan.yaml"), plan.join("\n"));
  const cost = await run(["plan", "plan.yaml", "--out", "study"]);
  expect({ code: cost.code, stderr: cost.stderr }).toMatchObject({ code: 0 });
  expect(cost.stdout).toMatch(/^evaluation text +2 +0 +2 +[0-9]+ +[0-9]+ +[0-9.]+ s$/m);
  expect(cost.stdout).toContain("4 different subnetworks.");
  const { code, stdout, stderr } = await run(["run", "plan.yaml", "--out", "study"]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toMatch(/^known {4}influence/m);
  expect(stdout).toMatch(/^Told before: [0-9.]+ s, from [0-9.]+ s to [0-9.]+ s; it took [0-9]+% /m);
  expect(stdout).toMatch(/^\(whole model\) +0 +[0-9.]+ ± [0-9.]+$/m);
  expect(stdout).toMatch(/^cosine +1 +emulated-update +[0-9.]+ ± [0-9.]+$/m);
  const record = JSON.parse(readFileSync(join(folder, "study/record.json"), "utf8"));
  const again = await run(["run", "plan.yaml", "--out", "study", "--json"]);
  expect({ ...JSON.parse(again.stdout), timings: null }).toEqual({ ...record, timings: null });
});

test.each([
  ["plan.txt", "model: {}", "a plan is a .json, .yaml or .yml file"],
  ["broken.yaml", "model: [", "broken.yaml: Flow sequence"],
  [
    "wrong.json",
    '{"model": {"source": "tiny"}, "rankings": [{"by": "influence", "units": "blok"}]}',
    "rankings.0.units",
  ],
])("run refuses %s", async (name, text, words) => {
  writeFileSync(join(folder, name), text);
  const { code, stderr } = await run(["run", name, "--out", "refused"]);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test("init writes a plan that run takes, and replaces nothing", async () => {
  const given = ["--model", "smollm2-135m", "--calibration", "text.txt", "--text", "text.txt"];
  const { code, stdout } = await run(["init", "first.yaml", ...given]);
  expect(code).toBe(0);
  expect(stdout).toContain("npx depthkit run first.yaml");
  expect(settlePlan(parse(readFileSync(join(folder, "first.yaml"), "utf8"))).faults).toEqual([]);
  expect(await run(["init", "first.yaml", ...given])).toMatchObject({ code: 2 });
  const asked = await run(["init", "second.yaml", "--model", "smollm2-135m"]);
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain("give --calibration, --text");
});

test.each(["bash", "zsh", "fish"])("completion for %s has every command and its flags", async (shell) => {
  const { code, stdout } = await run(["completion", shell]);
  expect(code).toBe(0);
  for (const { name } of commands) expect(stdout).toContain(name);
  expect(stdout).toMatch(
    shell === "fish" ? / -l strategy -x -a '[^']*greedy/ : /"search --strategy"\) words="[^"]*greedy/,
  );
  // It is a script that the shell reads: both others hold bash's own words.
  if (shell !== "bash") return;
  const asked = "COMP_WORDS=(depthkit search --strategy gre); COMP_CWORD=3; _depthkit; echo $COMPREPLY";
  const script = `${stdout}\n${asked}`;
  expect(execFileSync("bash", ["-c", script], { encoding: "utf8" })).toBe("greedy\n");
});

test("solve asks a probe's questions", async () => {
  const args = [
    "solve",
    ...model,
    "--probe",
    "copying",
    "--limit",
    "2",
    "--shots",
    "1",
    "--max-new-tokens",
    "4",
  ];
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/^right +\d of 2$/m);

  const sampled = [...args, "--samples", "3", "--temperature", "0.8", "--pass-at", "1", "3"];
  const drawn = await run([...sampled, "--sampling-seed", "7"]);
  expect({ code: drawn.code, stderr: drawn.stderr }).toMatchObject({ code: 0 });
  expect(drawn.stdout).toMatch(/^right +\d of 6$/m);
  expect(drawn.stdout).toMatch(/^pass@3 +[01]\.\d{4} \+- \d/m);
  expect(drawn.stdout).toMatch(/^drawn +3 per item at temperature 0.8, seed 7$/m);
});

test("SEL1: evaluate prints what a run of removed blocks means, removed and kept", async () => {
  const args = [
    "evaluate",
    ...bundled,
    "--remove",
    "2-3",
    "--dense",
    "--data",
    "text.txt",
    "--chunk",
    "64",
    "--max-chunks",
    "2",
  ];
  const { code, stdout } = await run(args);
  expect(code).toBe(0);
  expect(stdout).toContain("block.2, block.3");
  expect(stdout).toContain("0, 1, 4, 5");
  expect(stdout).toMatch(/^perplexity +[0-9.]+$/m);
  // Beside the whole model's, in the table of both.
  expect(stdout).toMatch(/^perplexity +perplexity +[0-9.]+ +[0-9.]+ +[+-]/m);
});

test("evaluate and solve score tasks too, and a second run takes them from the journal", async () => {
  // The index of the right choice to `evaluate`, a number to be written to `solve`.
  const rows = [
    { task: "arc_easy", question: "What is 2 plus 2", choices: ["4", "5"], answer: 0 },
    { task: "arc_easy", question: "What is 3 plus 3", choices: ["7", "6"], answer: 1 },
  ];
  writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const text = ["--data", "text.txt", "--chunk", "64", "--max-chunks", "2"];
  const args = ["evaluate", ...model, "--remove", "2", "--dense", ...text, "--task", "rows.jsonl"];
  const first = await run([...args, "--journal", "journal", "--json"]);
  expect({ code: first.code, stderr: first.stderr }).toMatchObject({ code: 0 });
  const { results, differences } = JSON.parse(first.stdout);
  for (const { tasks } of results) {
    expect(tasks[0]).toMatchObject({ info: { format: "arc_easy", items: 2 }, reused: 0 });
  }
  const table = await run([...args, "--journal", "journal"]);
  expect(table.stdout).toMatch(/^arc_easy +2 +0 +[01]\.\d{4}/m);
  expect(table.stdout.match(/2 taken from the journal/g)).toHaveLength(2); // the subnetwork's text and task
  expect(table.stdout).toContain("Of the whole model: 4 taken from the journal");
  // The whole model, the subnetwork, and the difference with its standard error, in one table.
  const [whole, pruned] = results.map(({ perplexity }: { perplexity: { loss: number } }) => perplexity.loss);
  const row = /^perplexity +loss +([\d.]+) +([\d.]+) +([+-][\d.]+) \+- [\d.e-]+$/m.exec(table.stdout);
  expect(Number(row?.[1])).toBeCloseTo(whole, 4);
  expect(Number(row?.[2])).toBeCloseTo(pruned, 4);
  expect(Number(row?.[3])).toBeCloseTo(pruned - whole, 3);
  expect(table.stdout).toMatch(/^arc_easy +choice loss .* \+- /m);
  expect(differences[0]).toMatchObject({ measure: "loss", before: whole, after: pruned });
  expect(results[0].perplexity).not.toHaveProperty("perItem");

  const asked = await run(["evaluate", ...model, "--task", "rows.jsonl", "--chat-template"]);
  expect(asked.stdout).toMatch(/^arc_easy \(chat template\) +2 +0 +[01]\.\d{4}/m);

  const prompt = ["--prompt", "{question}?\\nAnswer:", "--max-new-tokens", "4"];
  const solved = await run([
    "solve",
    ...model,
    "--task",
    "rows.jsonl",
    ...prompt,
    "--score",
    "number",
    "--json",
  ]);
  expect({ code: solved.code, stderr: solved.stderr }).toMatchObject({ code: 0 });
  const { items, perItem, reused } = JSON.parse(solved.stdout);
  expect(reused).toBe(0);
  expect(items).toBe(2);
  expect(perItem.map(({ target }: { target: string }) => target)).toEqual(["0", "1"]);
});

test("generate and export, end to end", async () => {
  const generated = await run([
    "generate",
    ...bundled,
    "--prompt",
    "One, two,",
    "--max-new-tokens",
    "4",
    "--json",
  ]);
  expect(JSON.parse(generated.stdout).generations[0].tokenIds).toHaveLength(4);
  const exported = await run(["export", ...model, "--remove", "12-14", "--out", "smaller", "--json"]);
  expect(JSON.parse(exported.stdout).export).toMatchObject({ removed: ["block.12", "block.13", "block.14"] });
  expect(JSON.parse(readFileSync(join(folder, "smaller", "config.json"), "utf8")).num_hidden_layers).toBe(27);
});

test("where something is written at the end, its place is looked at before the model is loaded", async () => {
  mkdirSync(join(folder, "photos"));
  writeFileSync(join(folder, "photos", "cat.jpg"), "cat");
  const text = ["--data", "text.txt", "--remove", "3"];
  const refused = [
    ["export", ...model, "--out", "photos", "--overwrite"],
    ["repair", ...model, ...text, "--save", "photos", "--overwrite", "--method", "fold"],
    ["repair", ...model, ...text, "--save", "x", "--method", "bias", "--checkpoints", "text.txt"],
    ["evaluate", ...model, ...text, "--journal", "text.txt"],
    ["shapley", ...model, "--data", "text.txt", "--journal", "text.txt/below"],
    ["demo", "--out", "text.txt"],
  ];
  for (const args of refused) {
    const { code, stderr } = await run(args);
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(stderr).toMatch(args.includes("photos") ? /no (depthkit|repair)\.json/ : /text\.txt is a file/);
    expect(stderr).not.toContain("loading");
  }
  expect(readdirSync(join(folder, "photos"))).toEqual(["cat.jpg"]);
});

test("SEL3: sublayers removed from the command line are gone from the saved model", async () => {
  const units = "1,attention.3,attention.4,feed-forward.5";
  const { code, stdout } = await run(["export", ...model, "--remove", units, "--out", "sublayers"]);
  expect(code).toBe(0);
  expect(stdout).toContain("depthkit layout");
  expect(stdout).toContain("trust_remote_code=True");
  const config = JSON.parse(readFileSync(join(folder, "sublayers", "config.json"), "utf8"));
  expect(config).toMatchObject({ model_type: "depthkit_llama", num_hidden_layers: 27 });
});

const fold = ["repair", ...model, "--data", "text.txt", "--remove", "3", "--save", "x", "--method", "fold"];

test.each([
  [["influence", "--data", "text.txt"], "required option '--model"],
  [["influence", "--modle", "smollm2-135m"], "unknown option '--modle'\n(Did you mean --model?)"],
  [["evaluate", ...model, "--data", "text.txt", "--remove", "2:4"], "first-last"],
  [["generate", "hello", ...model], "'hello' belongs to no flag, and 'generate' takes nothing without one"],
  [["check", "one", "two"], "'two' belongs to no flag, and 'check' takes <path> without one"],
  [["evaluate", ...model], "--task"],
  [["solve", ...model, "--task", "text.txt", "--prompt", "{question}"], ".jsonl"],
  [["evaluate", ...model, "--data", "text.txt", "--chunk", "one"], "no whole number"],
  [["generate", ...model, "--prompt", "x", "--seed", "9007199254740993"], "no whole number"],
  [["shapley", ...model, "--data", "text.txt", "--candidates", "4", "--groups", "2"], "--groups"],
  [
    ["shapley", ...model, "--data", "text.txt", "--value", "accuracy"],
    "choices are loss, kl, logit-distance",
  ],
  [
    [...fold, "--rank", "8"],
    "--rank is no flag of the repair fold; its flags: --reference, --ridge, --objective",
  ],
  [[...fold, "--train", "--steps", "5"], "fold is not trained; leave out --train, --steps"],
  [[...fold.with(-1, "patch"), "--steps", "5"], "patch is not trained unless you add --train"],
  [[...fold.with(-1, "bias"), "--train"], "bias is always trained"],
  [["evaluate", ...model, "--task", "rows.jsonl", "--chunk", "64"], "--chunk"],
  [["evaluate", ...model, "--data", "text.txt", "--shots", "1"], "--shots"],
  [["influense"], "Did you mean influence"],
  [["export", ...model, "--out", "x", "--format", "mlx"], "Allowed choices are huggingface, gguf, onnx"],
  [["export", ...model, "--out", "x", "--onnx-dtypes", "q4"], "does nothing without --format onnx"],
  [
    ["export", ...model, "--out", "x", "--format", "onnx", "--save-dtype", "float16"],
    "named by --onnx-dtypes",
  ],
])("wrong arguments end with 2 and say what is allowed: %j", async (args, words) => {
  const { code, stdout, stderr } = await run(args);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
  expect(stdout).toBe("");
});

test("a block the model does not have, and a file that is not there, end with 2", async () => {
  const beyond = await run(["evaluate", ...model, "--data", "text.txt", "--remove", "30", "--json"]);
  expect(beyond.code).toBe(2);
  expect(JSON.parse(beyond.stdout)).toMatchObject({ error: { code: "INVALID_ARGUMENT" } });
  const absent = await run(["evaluate", ...model, "--data", "absent.txt"]);
  expect(absent).toMatchObject({ code: 2 });
  expect(absent.stderr).toContain("absent.txt");
});

test("BRG5: no interpreter ends with 3, without set-up too, and says what to run", async () => {
  const nope = await run(["generate", ...model, "--prompt", "x"], { DEPTHKIT_PYTHON: "/nope" });
  expect(nope.code).toBe(3);
  expect(nope.stderr).toContain("PYTHON_NOT_FOUND");
  const empty = await run(["generate", ...model, "--prompt", "x"], {
    DEPTHKIT_HOME: join(folder, "home"),
    DEPTHKIT_PYTHON: "",
  });
  expect(empty.code).toBe(3);
  expect(empty.stderr).toContain("npx depthkit setup");
});

test("Ctrl-C ends a long command with 130 and leaves nothing", async () => {
  const child = start(["generate", ...bundled, "--prompt", "x", "--max-new-tokens", "2000", "--no-cache"]);
  let interrupted = false;
  child.stderr?.on("data", (text) => {
    if (interrupted || !String(text).includes("generating")) return;
    interrupted = true;
    child.kill("SIGINT");
  });
  const { code, stdout, stderr } = await finish(child);
  expect(code).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toContain("Cancelled.");
});

/** The error of a command that the signal ends once a chunk is scored. */
async function endedBy(signal: "SIGTERM" | "SIGHUP") {
  const text = ["--data", "text.txt", "--chunk", "64", "--max-chunks", "20"];
  const args = ["evaluate", ...bundled, ...text, "--journal", `kept by ${signal}`, "--json"];
  const child = start(args);
  let sent = false;
  child.stderr?.on("data", (words) => {
    if (sent || !/perplexity \d0%/.test(String(words))) return;
    sent = true;
    child.kill(signal);
  });
  const { code, stdout, stderr } = await finish(child);
  expect({ code, stderr }).toMatchObject({ code: 130 });
  const { error } = errorDocument.parse(JSON.parse(stdout));
  expect(error).toMatchObject({
    code: "CANCELLED",
    resume: { journal: join(folder, `kept by ${signal}`) },
  });
  expect(stderr).toContain("Cancelled.");
  expect(stderr).toContain(error.resume?.command);
  return error;
}

test("SIGHUP cancels, as a terminal that goes away sends it", () => endedBy("SIGHUP"));

test("SIGTERM cancels, and the command that is named goes on", async () => {
  const { resume } = await endedBy("SIGTERM");
  // As a shell reads it, with what was built here in the place of npx.
  const here = [process.execPath, ...cli].map((part) => `'${part}'`).join(" ");
  const script = `npx() { shift; ${here} "$@"; }; ${resume?.command}`;
  const again = await finish(spawn("sh", ["-c", script], { cwd: folder }));
  expect({ code: again.code, stderr: again.stderr }).toMatchObject({ code: 0 });
  const [{ perplexity }] = JSON.parse(again.stdout).results;
  expect(perplexity.chunks).toBe(20);
  expect(perplexity.reused).toBeGreaterThan(0);
});

test("--json gets one document for wrong arguments, and for what a command refuses, too", async () => {
  const wrong = [
    ["evaluate", ...model, "--data", "text.txt", "--chunk", "one", "--json"],
    ["evaluate", ...model, "--json"],
    ["influense", "--json"],
  ];
  for (const args of wrong) {
    const { code, stdout } = await run(args);
    expect(code).toBe(2);
    const { error } = errorDocument.parse(JSON.parse(stdout));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", resume: null });
  }
});

test("help and version end with 0", async () => {
  const help = await run(["--help"]);
  expect(help.code).toBe(0);
  for (const name of ["setup", "doctor", "influence", "evaluate", "generate", "export", "demo"]) {
    expect(help.stdout).toContain(name);
  }
  expect((await run(["--version"])).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

test("the demo does the main job and says where the smaller model lies", async () => {
  const { code, stdout } = await run(["demo", "--remove", "2", "--dump-tokens"]);
  expect(code).toBe(0);
  const record = JSON.parse(readFileSync(join(folder, "depthkit-demo", "record.json"), "utf8"));
  const saved = join(folder, "depthkit-demo", "smollm2-135m-without-2-blocks");
  expect(existsSync(join(saved, "config.json"))).toBe(true);
  expect(stdout).toContain(saved);
  const tokens = record.calibrations[0].measured.firstTokens.map(
    ({ id, piece }: { id: number; piece: string }) => [id, JSON.stringify(piece)].join(" "),
  );
  expect(tokens).toHaveLength(16);
  expect(stdout).toContain(`First tokens of the first sequence: ${tokens.join(", ")}`);
  expect(stdout).toContain("First tokens of the first chunk: ");
  const [whole, one, two] = record.results.map(
    (result: { values: { perplexity: { value: number } } }) => result.values.perplexity.value,
  );
  expect(whole).toBeLessThan(one);
  expect(one).toBeLessThan(two);
  expect(readdirSync(join(folder, "depthkit-demo")).sort()).toEqual([
    "record.json",
    "smollm2-135m-without-2-blocks",
    "steps.jsonl",
  ]);
});
