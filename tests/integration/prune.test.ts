import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Depthkit,
  type ExportInfo,
  type PruneEvent,
  type PruneOptions,
  type PruneRecord,
  planPrune,
  prune,
  pruneRecipeNames,
} from "../../src/index.ts";
import { pruneRecordSchema } from "../../src/schemas.ts";
import { cli } from "./cli.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

const names = "Ada Bea Cid Dan Eva Fay Gus Hal Ida Jon".split(" ");
const lines = Array.from({ length: 400 }, (_, at) => {
  const [one, other] = [names[at % 10], names[(at * 7 + 3) % 10]];
  return `${one} gave ${other} ${(at * 37) % 101} coins for day ${at} and kept ${(at * 13) % 17} of them.`;
});

/** Text that shares no stretch with the other. */
const boats = Array.from(
  { length: 200 },
  (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`,
).join("\n");

let folder: string;
let tiny: string;
let kit: Depthkit;
let asked: Omit<PruneOptions, "out">;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-prune-"));
  writeFileSync(join(folder, "text.txt"), lines.join("\n"));
  tiny = await tinyModel(folder);
  kit = await Depthkit.start();
  asked = {
    model: tiny,
    load: { device: "cpu" },
    budget: 2,
    data: join(folder, "text.txt"),
    text: { length: 32, fit: 8, choose: [2, 4], report: 6 },
    repair: { method: "low-rank", rank: 4 },
  };
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);

function asFolder(saved: PruneRecord["export"]): ExportInfo {
  if (!("layout" in saved)) throw new Error("no Hugging Face checkpoint was saved");
  return saved;
}

test("every contender has the budget's size and the same repair, and the best on held-out text is shipped", async () => {
  const events: PruneEvent[] = [];
  const record = await prune(kit, { ...asked, out: at("all"), onEvent: (event) => events.push(event) });
  expect(record).toEqual(
    pruneRecordSchema.parse(JSON.parse(readFileSync(at("all.run/record.json"), "utf8"))),
  );
  expect(record.contenders.map(({ name }) => name)).toEqual(["tail", "cosine", "span", "greedy", "search"]);
  for (const { removed } of record.contenders) expect(removed).toHaveLength(2);
  expect(record.contenders[0]?.removed).toEqual(["block.3", "block.4"]);
  const losses = record.contenders.map(({ repairedLoss }) => repairedLoss ?? Number.NaN);
  expect(record.shipped.loss).toBe(Math.min(...losses));
  const winner = record.contenders.find(({ name }) => name === record.shipped.contender);
  for (const one of record.contenders) {
    if (one === winner) expect(one.againstShipped).toBeNull();
    else
      expect(one.againstShipped?.nats).toBeCloseTo((one.repairedLoss ?? Number.NaN) - record.shipped.loss, 9);
  }
  expect(record.export.removed).toEqual(winner?.removed);
  expect(asFolder(record.export).maxLogitDifference).toBeLessThan(1e-5);
  expect(events.map(({ kind }) => kind)).toEqual(["plan", ...record.contenders.map(() => "contender")]);
  // What is said of the shipped set is what an evaluation of it on the same sequences says.
  await using model = await kit.loadModel(tiny, { device: "cpu" });
  const { fit: fitOn, heldOut: measured } = record.parts;
  expect([fitOn.numbers?.length, measured.numbers?.length]).toEqual([8, 6]);
  await using fit = await model.loadCorpus(at("text.txt"), { length: 32, numbers: fitOn.numbers });
  await using heldOut = await model.loadCorpus(at("text.txt"), { length: 32, numbers: measured.numbers });
  expect(heldOut.info.tokensDigest).toBe(record.parts.heldOut.tokensDigest);
  await using repaired = await model
    .without(winner?.removed ?? [])
    .repair(fit, { method: "low-rank", rank: 4 });
  const { scores } = await model.evaluateSubnetworks(heldOut, [model, repaired]).result;
  expect(record.wholeLoss).toBeCloseTo(scores[0]?.values.loss ?? Number.NaN, 6);
  expect(record.shipped.loss).toBeCloseTo(scores[1]?.values.loss ?? Number.NaN, 6);
});

test("the search starts from what the others chose, so on its own text it is as good as they are", async () => {
  const lively = await tinyModel(at("lively"), LIVELY, { blocks: 8 });
  const record = await prune(kit, {
    ...{ ...asked, model: lively, budget: 3, repair: null, out: at("started") },
    baselines: ["tail", "greedy"],
    strategy: "surrogate",
    evaluations: 6,
    candidates: 8,
  });
  expect(record.contenders.map(({ name }) => name)).toEqual(["tail", "greedy", "search"]);
  await using model = await kit.loadModel(lively, { device: "cpu" });
  const { numbers } = record.parts.choose[1] ?? {};
  expect(numbers).toHaveLength(4);
  await using chooseOn = await model.loadCorpus(at("text.txt"), { length: 32, numbers });
  const sets = record.contenders.map(({ removed }) => model.without(removed));
  const { scores } = await model.evaluateSubnetworks(chooseOn, sets).result;
  const losses = scores.map(({ values }) => values.loss ?? Number.NaN);
  expect(Math.min(...losses)).toBe(losses.at(-1));
});

test("a run whose text is not there leaves nothing behind", async () => {
  const wrong = { ...asked, data: at("no-such.txt"), out: at("nothing") };
  await expect(prune(kit, wrong)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  expect(readdirSync(folder).filter((name) => name.startsWith("nothing"))).toEqual([]);
});

test("a second run refuses what lies there; with overwrite it searches nothing again", async () => {
  await prune(kit, { ...asked, baselines: ["tail"], out: at("twice") });
  const again = { ...asked, baselines: ["tail"] as const, out: at("twice") };
  await expect(prune(kit, again)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  const first = bytesOf(at("twice"));
  const seen: string[] = [];
  const record = await prune(kit, {
    ...again,
    export: { overwrite: true },
    onProgress: ({ phase }) => seen.push(phase),
  });
  expect(seen).not.toContain("searching");
  expect(seen).not.toContain("influence");
  expect(record.contenders.map(({ name }) => name)).toEqual(["tail", "search"]);
  expect(bytesOf(at("twice"))).toEqual(first);
});

test("a plan says what would take long, and a limit of minutes changes it", async () => {
  const plan = await planPrune(kit, { ...asked, out: at("planned") });
  // Two of six are a third, so twice that are looked at: 4 + 3 sets, the better half of them on all the text.
  expect(plan).toMatchObject({ removals: 2, players: 6, notes: [] });
  expect(plan.candidates).toHaveLength(4);
  expect(plan.start).toHaveLength(2);
  for (const set of plan.start) expect(plan.candidates).toEqual(expect.arrayContaining(set));
  expect(plan.steps.map(({ name, strategy, limit }) => [name, strategy, limit])).toEqual([
    ["greedy", "greedy", null],
    ["search", "surrogate", 8],
  ]);
  expect(plan.steps[0]?.evaluations).toBe(4 / 2 + 2 + (3 / 2 + 2));
  // Half of the six blocks of a set is shared; a surrogate runs the four that are left, and its repairs come
  // on top.
  const [greedy, search] = plan.steps;
  expect(greedy?.seconds).toBeCloseTo(7.5 * 6 * 0.5 * plan.secondsPerBlock, 9);
  expect(search?.seconds).toBeGreaterThan(8 * 4 * plan.secondsPerBlock);
  // Five contenders read 8 sequences, and 6 bare and repaired with half of it shared; nothing else is asked.
  const perBlock = plan.secondsPerBlock / (4 * 32);
  expect(plan.besides.judging).toBeCloseTo(5 * 6 * perBlock * (8 + 6) * 32, 9);
  expect(plan.besides.evaluating).toBe(0);
  // Nothing to start from: what looks at sets from the whole model on.
  const bare = await planPrune(kit, { ...asked, baselines: ["tail"], out: at("planned") });
  expect(bare.steps).toMatchObject([{ name: "search", strategy: "greedy", limit: null }]);
  expect(existsSync(at("planned"))).toBe(false);
  const short = await planPrune(kit, { ...asked, out: at("planned"), minutes: 1e-9 });
  expect(short.steps).toMatchObject([{ name: "search", strategy: "surrogate", limit: 1 }]);
  expect(short.notes).toMatchObject([expect.stringContaining('"greedy" is left out')]);
  const texts = { boats: { texts: [boats] } };
  const more = { evaluate: { texts, maxChunks: 3 }, heal: { method: "lora", rank: 2 } } as const;
  const measured = await planPrune(kit, { ...asked, ...more, precision: "screen", out: at("planned") });
  expect(measured.besides.evaluating).toBeGreaterThan(0);
  // Three finalists at least are scored exactly, where sets can be screened.
  const ofSets = 7.5 * 6 * 0.5 * measured.secondsPerBlock;
  await using loaded = await kit.loadModel(asked.model, { device: "cpu" });
  const ofFinalists = (measured.steps[0]?.seconds ?? 0) - ofSets;
  expect(ofFinalists > ofSets / 1e6).toBe(loaded.screening === "bfloat16");
  expect(measured.notes).toContain("Not in these times: healing.");
});

test("recipes choose and repair in their own way, and the best of all is shipped", async () => {
  const baselines = pruneRecipeNames.filter((name) => name !== "partial-tail");
  const record = await prune(kit, { ...asked, budget: 2, baselines, out: at("recipes") });
  // The run of this model's that is nearest begins at its first block, before which there is nothing to fold
  // into.
  expect(record.leftOut).toMatchObject([
    { name: "replaceme", code: "INVALID_ARGUMENT" },
    { name: "replaceme-cosine", code: "INVALID_ARGUMENT" },
  ]);
  expect(record.contenders.map(({ name, repair }) => [name, repair])).toEqual([
    ["ghosted-span", "low-rank"],
    ["ghosted-sleb", "low-rank"],
    ["linearpatch", "patch"],
    ["prune-comp", "scale"],
    ["search", "low-rank"],
  ]);
  expect(record.contenders[0]?.removed).toEqual(["block.0", "block.1"]);
  expect(record.contenders[2]?.removed).toEqual(["block.0", "block.1"]);
  expect(record.shipped.loss).toBe(
    Math.min(...record.contenders.map(({ repairedLoss }) => repairedLoss ?? Number.NaN)),
  );
});

test("a recipe's own repair is the repair of that name", async () => {
  const options = { ...asked, protect: ["block.0"] as const, baselines: ["replaceme"] as const };
  const { contenders, leftOut, parts } = await prune(kit, { ...options, out: at("replaced") });
  expect(leftOut).toEqual([]);
  const [replaced] = contenders;
  expect(replaced?.removed).not.toContain("block.0");
  await using model = await kit.loadModel(tiny, { device: "cpu" });
  const { fit: fitOn, heldOut: measured } = parts;
  await using fit = await model.loadCorpus(at("text.txt"), { length: 32, numbers: fitOn.numbers });
  await using heldOut = await model.loadCorpus(at("text.txt"), { length: 32, numbers: measured.numbers });
  await using folded = await model.without(replaced?.removed ?? []).repair(fit, { method: "fold" });
  const { scores } = await model.evaluateSubnetworks(heldOut, [folded]).result;
  expect(replaced?.repairedLoss).toBeCloseTo(scores[0]?.values.loss ?? Number.NaN, 6);
});

test("a span competes where blocks alone may go, and not elsewhere", async () => {
  const options = { ...asked, players: ["attention", "feed-forward"] as const, out: at("mixed") };
  const { contenders, leftOut } = await prune(kit, options);
  expect([contenders.map(({ name }) => name), leftOut]).toEqual([["tail", "cosine", "greedy", "search"], []]);
  await expect(prune(kit, { ...options, baselines: ["span"] })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining('"span" removes blocks, and attention,feed-forward are asked for'),
  });
});

test("where no contender can be made, the error says so", async () => {
  const options = { ...asked, candidates: ["block.0"] as const, budget: 1, baselines: [] };
  await expect(prune(kit, { ...options, repair: { method: "fold" }, out: at("none") })).rejects.toMatchObject(
    { code: "INVALID_ARGUMENT", message: expect.stringContaining("none of search") },
  );
  expect(existsSync(at("none"))).toBe(false);
});

test("a GGUF file is saved of what one can hold", async () => {
  const toFile = { ...asked, baselines: ["tail"], export: { format: "gguf" } } as const;
  const record = await prune(kit, { ...toFile, out: at("smaller.gguf") });
  if (!("file" in record.export)) throw new Error("a folder was saved, not a GGUF file");
  expect(record.export).toMatchObject({ architecture: "deci", file: at("smaller.gguf") });
  expect(record.contenders.map(({ name }) => name)).toEqual(["tail", "search"]);
  expect(statSync(at("smaller.gguf")).size).toBe(record.export.bytes);
  // Known from the journal: nothing is fitted to ask again.
  rmSync(at("smaller.gguf"));
  rmSync(at("smaller.gguf.run/record.json"));
  const again = await prune(kit, { ...toFile, out: at("smaller.gguf") });
  expect(again.shipped).toMatchObject({ contender: record.shipped.contender, loss: record.shipped.loss });
  expect(again.export).toMatchObject({ sha256: record.export.sha256 });
});

test("what a GGUF file cannot hold is said before any work, and is no contender", async () => {
  const toFile = { ...asked, export: { format: "gguf" } } as const;
  const patched = prune(kit, { ...toFile, repair: { method: "patch" }, out: at("patched.gguf") });
  await expect(patched).rejects.toMatchObject({
    code: "EXPORT_UNSUPPORTED",
    message: expect.stringContaining("repaired by patch"),
  });
  expect(existsSync(at("patched.gguf"))).toBe(false);
  // Nothing was measured.
  expect(existsSync(at("patched.gguf.run/steps.jsonl"))).toBe(false);
  const baselines = ["tail", "linearpatch"] as const;
  const { contenders, leftOut } = await prune(kit, { ...toFile, baselines, out: at("without.gguf") });
  expect(contenders.map(({ name }) => name)).toEqual(["tail", "search"]);
  expect(leftOut).toMatchObject([{ name: "linearpatch", code: "EXPORT_UNSUPPORTED" }]);
});

test("options that are not the format's are refused", async () => {
  const options = { ...asked, out: at("x"), export: { format: "huggingface", base: "x.gguf" } } as object;
  await expect(prune(kit, options as PruneOptions)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(/export: there is no .*base/),
  });
});

test("healing is kept where it helps on held-out text, and left out where it does not", async () => {
  const training = { steps: 6, learningRate: 0.02, objective: { kl: 0, loss: 1 } };
  const base = { ...asked, baselines: [], repair: null };
  const helped = await prune(kit, { ...base, out: at("healed"), heal: { method: "lora", training } });
  const [search] = helped.contenders;
  expect(helped.shipped).toMatchObject({ contender: "search", healed: true });
  expect(helped.shipped.loss).toBe(helped.healing?.loss);
  expect(helped.shipped.loss).toBeLessThan(search?.removedLoss ?? Number.NaN);
  expect(search?.repairedLoss).toBeNull();
  const far = { method: "emulated-update", scale: 1e4 } as const;
  const hurt = await prune(kit, { ...base, out: at("hurt"), heal: far });
  expect(hurt.shipped).toMatchObject({ contender: "search", healed: false });
  expect(hurt.healing?.against.nats).toBeGreaterThan(0);
  expect(hurt.shipped.loss).toBe(hurt.contenders[0]?.removedLoss);
  // Nothing was put in place, so the checkpoint is the model's own kind.
  expect(asFolder(hurt.export).layout).toBe("plain");
});

test("other texts and questions are measured beside, and decide nothing", async () => {
  const rows = Array.from({ length: 6 }, (_, index) => ({
    task: "arc_easy",
    question: `How many coins did ${names[index]} give?`,
    choices: ["one", "two"],
    answer: index % 2,
  }));
  const record = await prune(kit, {
    ...asked,
    budget: { cost: "parameters", share: 0.02 },
    baselines: ["cosine"],
    out: at("proved"),
    evaluate: {
      texts: { boats: { texts: [boats] } },
      tasks: { coins: { rows } },
      shots: 0,
    },
  });
  expect(record.proof.map(({ name }) => name)).toEqual(["boats", "coins"]);
  const chunks = { chunk: 32 };
  expect(record.proof[0]).toMatchObject({
    whole: chunks,
    shipped: chunks,
    beside: [{ contender: "cosine", scores: chunks }],
  });
  expect(record.proof[1]).toMatchObject({ whole: { items: 6 }, shipped: { items: 6 } });
  expect(record.export.parametersBefore * 0.98).toBeGreaterThan(
    record.export.parametersAfter - (record.shipped.repairs[0]?.repairs[0]?.parameters ?? 0) * 6,
  );
});

test("text that a set is chosen on is refused as a measure of it, before any work", async () => {
  const phases: string[] = [];
  const started = prune(kit, {
    ...asked,
    out: at("same"),
    evaluate: { texts: { mine: at("text.txt") } },
    onProgress: ({ phase }) => phases.push(phase),
  });
  await expect(started).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(/evaluate\.texts\.mine` stand in `fit`/),
  });
  expect(phases).not.toContain("influence");
});

test("killed five times, it ends with the model that it makes uninterrupted, byte for byte", async () => {
  const args = (out: string) => {
    const text = ["--length", "32", "--fit", "8", "--choose", "2", "4", "--report", "6"];
    const how = ["--rank", "4", "--heal", "8", "--device", "cpu"];
    return ["prune", "--model", tiny, "--data", "text.txt", "--budget", "2", "--out", out, ...text, ...how];
  };
  expect(await ended(start(args("whole")))).toBe(0);
  for (const sign of [/searching/, /^tail: /m, /^span: /m, /^greedy: /m, /^search: /m, /^training/m]) {
    const child = start(args("killed"));
    await said(child, sign);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(existsSync(at("killed"))).toBe(false);
  }
  expect(await ended(start(args("killed")))).toBe(0);
  expect(bytesOf(at("killed"))).toEqual(bytesOf(at("whole")));
});

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...cli, ...args], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

/** Resolves once the words on standard error hold the sign. */
async function said(child: ChildProcess, sign: RegExp): Promise<void> {
  let words = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (text) => {
      words += text;
      if (sign.test(words)) resolve();
    });
    child.on("close", () => reject(new Error(`It ended before it said ${sign}:\n${words}`)));
  });
}

async function ended(child: ChildProcess): Promise<number | null> {
  child.stderr?.resume();
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}

/** Digests of the files of a folder. */
function bytesOf(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(path, name)))
          .digest("hex"),
      ]),
  );
}
