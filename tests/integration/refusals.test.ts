/**
 * Every public call refuses at the call what it does not take: an option that there is not, a string where a
 * list is expected, options that are no object, and what no worker holds.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as sdk from "../../src/index.ts";
import { openPython } from "../../src/python/index.ts";
import * as report from "../../src/report/index.ts";
import * as shapley from "../../src/shapley/index.ts";
import { temporaryFolder } from "../unit/platform/temporary-folder.ts";
import { sampleDocument } from "../unit/report/sample-document.ts";

const { Depthkit, DepthkitError, Influence, Journal } = sdk;

let kit: sdk.Depthkit;
let model: sdk.Model;
let corpus: sdk.Corpus;
let task: sdk.Task;
let questions: sdk.GenerationTask;
let policed: sdk.PolicySubnetwork;
let routes: sdk.Routes<sdk.Subnetwork>;

const texts = ["The quick brown fox jumps over the lazy dog, again and again and again. ".repeat(8)];
const rows = [{ question: "Two and two?", choices: ["four", "five"], answer: 0 }];
const template = { prompt: "{question}", choices: "choices", answer: "answer" };
const game = shapley.gameFromFunction((coalition) => coalition.size, { players: 3 });
const scores = [{ name: "cosine", scores: { "block.0": 1 } }];
const split = { choose: 1, train: 2, report: 2, length: 16 };
const way = { name: "greedy", results: [1, 2] };
const plan: sdk.Plan = {
  model: { source: "smollm2-135m" },
  calibration: { data: { texts }, sequences: 1, length: 16 },
  rankings: [{ by: "influence" }],
  removals: [1],
  evaluations: [{ kind: "perplexity", data: { texts }, chunk: 16 }],
};
const paper = { model: "smollm2-135m", depth: 30, calibration: { texts }, text: { texts } };
const pruning = (): sdk.PruneOptions => ({
  model: "smollm2-135m",
  budget: 1,
  data: { texts },
  out: join(temporaryFolder(), "smaller"),
});

beforeAll(async () => {
  await sdk.setup();
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m");
  corpus = await model.loadCorpus({ texts }, { length: 16 });
  task = await model.loadTask({ rows }, { format: template });
  policed = model.withPolicy({ kind: "feed-forward-skipping", start: 3, end: 28, threshold: 0.98, run: 1 });
  questions = await model.loadGenerationTask({ rows }, { prompt: "{question}" });
  const numbers = { texts: [Array.from({ length: 200 }, (_, at) => at ** 2).join(" ")] };
  const prompt = { tokens: 4 };
  routes = await model.routes({ texts: { numbers }, split, prompt, strategy: "tail", budget: 1 });
});
afterAll(() => kit?.close());

// What a script in JavaScript may give, which no type has looked at.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Anything = any;

/** A call by its name, with the options given beside what it needs, and one option that it has. */
type Call = readonly [name: string, option: string, call: (options: Anything) => unknown];

const calls: readonly Call[] = [
  ["Depthkit.start", "verbose", (o) => Depthkit.start(o)],
  ["Depthkit.pool", "restart", (o) => Depthkit.pool(withOptions({ devices: ["cpu"] }, o))],
  [
    "Depthkit.connect",
    "takeOver",
    (o) => Depthkit.connect("tcp://127.0.0.1:1", withOptions({ keys: "no.keys" }, o)),
  ],
  ["Depthkit.fetch", "signal", (o) => kit.fetch("/out", join(temporaryFolder(), "x"), o)],
  [
    "listenWorker",
    "keepSeconds",
    (o) => sdk.listenWorker(withOptions({ listen: "tcp://127.0.0.1:*", keys: "no.keys" }, o)),
  ],
  ["Depthkit.environment", "signal", (o) => kit.environment(o)],
  ["paperPlan", "quick", (o) => sdk.paperPlan(withOptions(paper, o))],
  ["makeKeys", "trust", (o) => sdk.makeKeys(join(temporaryFolder(), "x.keys"), o)],
  ["Depthkit.loadModel", "device", (o) => kit.loadModel("smollm2-135m", o)],
  ["Depthkit.checkTarget", "overwrite", (o) => kit.checkTarget("out", withOptions({ kind: "export" }, o))],
  ["Depthkit.status", "signal", (o) => kit.status(o)],
  ["Model.loadCorpus", "length", (o) => model.loadCorpus({ texts }, o)],
  ["Model.writeCorpus", "journal", (o) => model.writeCorpus(corpus, o)],
  ["Model.loadTask", "shots", (o) => model.loadTask({ rows }, o)],
  [
    "Model.loadGenerationTask",
    "separator",
    (o) => model.loadGenerationTask({ rows }, withOptions({ prompt: "{question}" }, o)),
  ],
  ["Model.influence", "batchSize", (o) => model.influence(corpus, o)],
  ["Model.search", "journal", (o) => model.search(withOptions({ budget: 1, choose: corpus }, o))],
  [
    "Model.searchDraws",
    "draws",
    (o) =>
      model.searchDraws(withOptions({ texts: { own: { texts } }, split: { choose: 1 }, methods: {} }, o)),
  ],
  [
    "Model.routes",
    "masks",
    (o) => model.routes(withOptions({ texts: { own: { texts } }, split, budget: 1 }, o)),
  ],
  ["Model.loadRoutes", "signal", (o) => model.loadRoutes("nowhere", o)],
  ["Routes.route", "chat", (o) => routes.route("x", o)],
  ["Routes.evaluate", "measure", (o) => routes.evaluate(corpus, o)],
  ["Routes.generate", "temperature", (o) => routes.generate("x", o)],
  ["Routes.save", "signal", (o) => routes.save(join(temporaryFolder(), "x"), o)],
  ["Model.splitText", "report", (o) => model.splitText({ texts }, withOptions({ choose: 1 }, o))],
  [
    "Model.repairGaps",
    "runs",
    (o) => model.repairGaps(corpus, "block", withOptions({ method: "emulated-update" }, o)),
  ],
  ["Model.unitCosts", "seconds", (o) => model.unitCosts(o)],
  ["Model.loadSubnetwork", "signal", (o) => model.loadSubnetwork("nowhere", o)],
  ["Model.evaluateSubnetworks", "memoryBudget", (o) => model.evaluateSubnetworks(corpus, [[]], o).result],
  ["Model.game", "journal", (o) => model.game(corpus, o)],
  [
    "Subnetwork.repair",
    "skipTokens",
    (o) => model.without(["block.3"]).repair(corpus, withOptions({ method: "bias" }, o)),
  ],
  ["Subnetwork.save", "overwrite", (o) => model.save(join(temporaryFolder(), "x"), o)],
  [
    "Subnetwork.export",
    "overwrite",
    (o) => model.export(join(temporaryFolder(), "x"), withOptions({ format: "huggingface" }, o)),
  ],
  [
    "Subnetwork.export",
    "base",
    (o) => model.export(join(temporaryFolder(), "x.gguf"), withOptions({ format: "gguf" }, o)),
  ],
  [
    "Subnetwork.export",
    "dtypes",
    (o) => model.export(join(temporaryFolder(), "x"), withOptions({ format: "onnx" }, o)),
  ],
  ["Subnetwork.canExport", "signal", (o) => model.canExport(withOptions({ format: "gguf" }, o))],
  ["Depthkit.checkExport", "runtime", (o) => kit.checkExport("x", o)],
  ["Depthkit.checkExport", "trustRemoteCode", (o) => kit.checkExport("x", o)],
  ["Depthkit.checkExport", "dtype", (o) => kit.checkExport("x", o)],
  ["Depthkit.checkExport", "signal", (o) => kit.checkExport("x.gguf", o)],
  ["Depthkit.push", "overwrite", (o) => kit.push("x", "me/x", o)],
  ["Subnetwork.perplexity", "stride", (o) => model.perplexity({ texts }, o)],
  ["Subnetwork.choices", "compareToDense", (o) => model.choices(task, o)],
  ["Subnetwork.lastWord", "items", (o) => model.lastWord(task, o)],
  ["Subnetwork.solve", "maxNewTokens", (o) => model.solve(questions, o)],
  ["Subnetwork.lmEval", "batchSize", (o) => model.lmEval(withOptions({ tasks: ["piqa"] }, o))],
  ["Subnetwork.generate", "temperature", (o) => model.generate("x", o)],
  ["Subnetwork.evaluate", "journal", (o) => model.evaluate([], o)],
  ["Subnetwork.stream", "skipFirstTokens", (o) => model.stream(corpus, o)],
  ["Subnetwork.profile", "rounds", (o) => model.profile(o)],
  ["PolicySubnetwork.perplexity", "stride", (o) => policed.perplexity({ texts }, o)],
  ["PolicySubnetwork.choices", "items", (o) => policed.choices(task, o)],
  ["PolicySubnetwork.lastWord", "items", (o) => policed.lastWord(task, o)],
  ["PolicySubnetwork.solve", "maxNewTokens", (o) => policed.solve(questions, o)],
  ["PolicySubnetwork.generate", "temperature", (o) => policed.generate("x", o)],
  ["PolicySubnetwork.evaluate", "journal", (o) => policed.evaluate([], o)],
  ["PolicySubnetwork.profile", "rounds", (o) => policed.profile(o)],
  ["PolicySubnetwork.measure", "batchSize", (o) => policed.measure(corpus, o)],
  ["PolicySubnetwork.compare", "seeds", (o) => policed.compare({ texts }, o)],
  ["doctor", "timeoutMs", (o) => sdk.doctor(o)],
  ["setup", "force", (o) => sdk.setup(o)],
  ["openPython", "verbose", (o) => openPython(o)],
  ["runPlan", "onProgress", (o) => sdk.runPlan(kit, plan, withOptions({ folder: temporaryFolder() }, o))],
  ["planStudy", "folder", (o) => sdk.planStudy(kit, plan, o)],
  ["probe", "seed", async (o) => sdk.probe("sums", o)],
  ["prune", "minutes", (o) => sdk.prune(kit, withOptions({ ...pruning() }, o))],
  ["planPrune", "protect", (o) => sdk.planPrune(kit, withOptions({ ...pruning() }, o))],
  [
    "compareRepairs",
    "onRow",
    (o) => sdk.compareRepairs(model, corpus, withOptions({ repairs: [], evaluate: () => ({}) }, o)),
  ],
  [
    "measureRemovalCosts",
    "signal",
    (o) => sdk.measureRemovalCosts(scores, async () => ({}), withOptions({ counts: [1] }, o)),
  ],
  [
    "Journal.open",
    "syncEveryMs",
    (o) =>
      Journal.open(withOptions({ directory: temporaryFolder(), key: 1, players: ["a"], values: ["v"] }, o)),
  ],
  ["estimateShapley", "evaluations", (o) => shapley.estimateShapley(game, o)],
  [
    "searchGame",
    "evaluations",
    (o) => sdk.searchGame(game, withOptions({ strategy: "greedy", budget: 1 }, o)),
  ],
  ["choiceCertainty", "lowest", (o) => sdk.choiceCertainty(withOptions({ players: ["a", "b"] }, o))],
  ["compareChoices", "confidence", (o) => sdk.compareChoices(way, way, o)],
  ["gameFromFunction", "values", (o) => shapley.gameFromFunction(() => 0, withOptions({ players: 2 }, o))],
  ["renderBars", "width", (o) => report.renderBars([], o)],
  ["renderReport", "theme", (o) => report.renderReport(sampleDocument, o)],
  ["renderTradeOffs", "lowest", (o) => report.renderTradeOffs(sdk.compareScores(scores), o)],
];

/** Options beside those that a call needs; what is no object goes as it is. */
function withOptions(needed: object, options: unknown): Anything {
  return typeof options === "object" && options !== null && !Array.isArray(options)
    ? { ...needed, ...options }
    : options;
}

async function refusalOf(call: () => unknown): Promise<sdk.DepthkitError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof DepthkitError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe.each(calls)("%s", (_, option, call) => {
  test("refuses an option that there is not, and names the nearest", async () => {
    const error = await refusalOf(() => call({ [`${option}x`]: 1 }));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain(`there is no option "${option}x" (did you mean "${option}"?)`);
  });

  test.each([null, "text", [], 3, () => {}])("refuses %j in place of its options", async (options) => {
    const error = await refusalOf(() => call(options));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(/expected (an object|something of)/);
  });

  test("refuses a value of another type, with its path", async () => {
    const error = await refusalOf(() => call({ [option]: { odd: true } }));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { paths: [expect.stringContaining(option)] },
    });
  });
});

const repair = { method: "lora", targets: "attention" };

/** What is refused, by the path of the value. */
const lists: readonly (readonly [path: string, call: () => unknown])[] = [
  ["data.texts", () => model.loadCorpus({ texts: "hello" } as Anything)],
  ["data.files", () => model.loadCorpus({ files: "a.txt" } as Anything)],
  ["data", () => model.loadCorpus(["a.txt"] as Anything)],
  ["data", () => model.loadCorpus(undefined as Anything)],
  ["data.texts", () => model.perplexity({ texts: "hello" } as Anything)],
  ["data.files", () => model.perplexity({ files: "a.txt" } as Anything)],
  ["data.files.0", () => model.perplexity("")],
  ["data.rows", () => model.loadTask({ rows: "hello" } as Anything)],
  ["data.rows.0", () => model.loadTask({ rows: ["hello"] } as Anything)],
  ["data.rows.1", () => model.loadTask({ rows: [rows[0], { answer: Number.NaN }] } as Anything)],
  ["data", () => model.loadTask({ files: ["a.jsonl"] } as Anything)],
  [
    "shotsFrom.rows",
    () => model.loadTask({ rows }, { format: template, shotsFrom: { rows: "x" } as Anything }),
  ],
  ["data.rows", () => model.loadGenerationTask({ rows: "hello" } as Anything, { prompt: "{question}" })],
  [
    "format.choices",
    () => model.loadTask({ rows }, { format: { ...template, choices: { a: 1 } } as Anything }),
  ],
  ["units", () => model.without("block.3" as Anything)],
  ["units.0", () => model.without([["block.3"]] as Anything)],
  ["kind", () => model.units("blocks" as Anything)],
  ["subnetworks", () => model.evaluateSubnetworks(corpus, "block.3" as Anything).result],
  ["subnetworks.0", () => model.evaluateSubnetworks(corpus, ["block.3"] as Anything).result],
  ["measures", () => model.evaluateSubnetworks(corpus, [[]], { measures: "loss" as Anything }).result],
  ["bySequence", () => model.evaluateSubnetworks(corpus, [[]], { bySequence: 1 as Anything }).result],
  ["repairs", () => model.evaluateSubnetworks(corpus, [[]], { repairs: "bias" as Anything }).result],
  ["players", () => model.game(corpus, { players: "block.3" as Anything })],
  ["players.0.0", () => model.game(corpus, { players: [[3]] as Anything })],
  ["value", () => model.game(corpus, { value: "accuracy" })],
  [
    "value.measures",
    () => model.game(corpus, { value: { name: "v", measures: "loss", compute: () => 0 } as Anything }),
  ],
  ["repairs", () => model.game(corpus, { repairs: "bias" as Anything })],
  ["targets", () => model.without(["block.3"]).repair(corpus, repair as Anything)],
  ["prompts.0", () => model.generate([3] as Anything)],
  ["prompts", () => model.generate(new Set(["x"]) as Anything)],
  ["stop", () => model.generate("x", { stop: "Question:" as Anything })],
  ["stop", () => model.solve(questions, { stop: "Question:" as Anything })],
  ["tasks", () => model.lmEval({ tasks: "piqa" as Anything })],
  ["batchSizes", () => model.profile({ batchSizes: "18" as Anything })],
  ["modes", () => policed.profile({ modes: "masked" as Anything })],
  ["seeds", () => policed.compare({ texts }, { seeds: "012" as Anything })],
  ["order", () => policed.compare({ texts }, { order: "feed-forward.3" as Anything })],
  ["profile.rounds", () => policed.compare({ texts }, { profile: { rounds: 0 } })],
  ["measures", () => policed.measure(corpus, { measures: "loss" as Anything })],
  ["corpus", () => policed.measure("corpus" as Anything)],
  ["kind", async () => model.withPolicy({ kind: "skip" } as Anything)],
  ["threshold", async () => model.withPolicy({ ...policed.policy, threshold: Number.NaN } as Anything)],
  ["blocks", async () => model.withPolicy({ kind: "fixed-skipping", blocks: "3" as Anything })],
  ["influence", async () => sdk.proposeSkipWindow("cosine" as Anything)],
  ["modes", () => model.profile({ modes: "masked" as Anything })],
  // More at a time than could be meant.
  ["batchSize", () => model.perplexity({ texts }, { batchSize: 65_537 })],
  ["batchSize", () => model.choices(task, { batchSize: 65_537 })],
  ["batchSize", () => model.lastWord(task, { batchSize: 65_537 })],
  ["batchSize", () => model.solve(questions, { batchSize: 65_537 })],
  ["batchSize", () => model.generate("x", { batchSize: 65_537 })],
  ["batchSize", () => model.influence(corpus, { batchSize: 65_537 })],
  ["batchSize", () => model.evaluateSubnetworks(corpus, [[]], { batchSize: 65_537 }).result],
  ["batchSize", () => model.lmEval({ tasks: ["piqa"], batchSize: 65_537 })],
  ["batchSizes.0", () => model.profile({ batchSizes: [65_537] })],
  ["timeoutMs", () => kit.environment({ timeoutMs: 0 })],
  ["depth", () => sdk.paperPlan({ ...paper, depth: 1 })],
  ["record", () => sdk.studyRows("record.json" as Anything)],
  ["one", () => sdk.compareStudies("record.json" as Anything, {} as Anything)],
  ["records.0", () => report.studyReport(["record.json" as Anything])],
  ["kind", () => kit.checkTarget("out", { kind: "exports" as Anything })],
  ["target", () => kit.checkTarget("", { kind: "export" })],
  ["evaluations", () => model.evaluate("perplexity" as Anything)],
  ["evaluations.0", () => model.evaluate(["perplexity"] as Anything)],
  ["evaluations.0.kind", () => model.evaluate([{ kind: "bleu" }] as Anything)],
  // The second is refused before the first is begun.
  [
    "evaluations.1.data.texts",
    () =>
      model.evaluate([
        { kind: "perplexity", data: { texts } },
        { kind: "perplexity", data: { texts: "hello" } as Anything },
      ]),
  ],
  [
    "evaluations.0.stop",
    () => model.evaluate([{ kind: "solve", task: questions, stop: "Question:" as Anything }]),
  ],
  ["evaluations.0", () => model.evaluate([{ kind: "choices", task, itemz: true } as Anything])],
  ["with", () => sdk.setup({ with: "lm-eval" as Anything })],
  [
    "calibration.data.texts",
    () =>
      sdk.runPlan(
        kit,
        { ...plan, calibration: { data: { texts: "hello" } as Anything } },
        { folder: temporaryFolder() },
      ),
  ],
  [
    "removals",
    () => sdk.runPlan(kit, { ...plan, removals: "12" as Anything }, { folder: temporaryFolder() }),
  ],
  [
    "texts.prompts",
    () =>
      sdk.runPlan(kit, { ...plan, texts: { prompts: "hello" as Anything } }, { folder: temporaryFolder() }),
  ],
  [
    "texts.stop",
    () =>
      sdk.runPlan(
        kit,
        { ...plan, texts: { prompts: ["hello"], stop: "Question:" as Anything } },
        { folder: temporaryFolder() },
      ),
  ],
  ["folder", () => sdk.runPlan(kit, plan, {} as Anything)],
  ["text", () => sdk.prune(kit, { ...pruning(), text: { lenght: 5 } as Anything })],
  ["load.dtype", () => sdk.prune(kit, { ...pruning(), load: { dtype: "float8" as Anything } })],
  ["export", () => sdk.prune(kit, { ...pruning(), export: { note: "mine" } as Anything })],
  ["text.report", () => sdk.prune(kit, { ...pruning(), text: { report: 3 } })],
  ["minutes", () => sdk.prune(kit, { ...pruning(), minutes: 1, evaluations: 1 })],
  ["scoring", () => sdk.prune(kit, { ...pruning(), repair: null, scoring: { method: "patch" } })],
  ["baselines", () => sdk.prune(kit, { ...pruning(), players: "attention", baselines: ["replaceme"] })],
  ["heal.rank", () => sdk.prune(kit, { ...pruning(), heal: { method: "lora", rank: 0 } })],
  ["data.texts.1", () => sdk.prune(kit, { ...pruning(), data: { texts: ["whole", "cut \ud83d"] } })],
  ["cluster", () => Depthkit.start({ cluster: "head" })],
  ["actors", () => Depthkit.start({ actors: 2 })],
  ["actors", () => Depthkit.start({ cluster: "auto", actors: 0 })],
  ["", () => Depthkit.pool({ devices: ["cpu"], cluster: "auto" } as Anything)],
  ["restartLimit", () => Depthkit.start({ restartLimit: { crashes: 1, seconds: 1 } })],
  [
    "restartLimit.seconds",
    () => Depthkit.start({ restart: "on-crash", restartLimit: { crashes: 1 } as Anything }),
  ],
  ["logger", () => Depthkit.start({ logger: { info: () => {} } as Anything })],
  ["timeoutMs", () => Depthkit.start({ timeoutMs: 0 })],
  ["timeoutMs", () => model.generate("x", { timeoutMs: 2 ** 31 })],
  ["torch", () => sdk.setup({ torch: "rocm" as Anything })],
  ["timeoutMs", () => Depthkit.connect("tcp://127.0.0.1:1", { keys: "no.keys", timeoutMs: 0 })],
  ["timeoutMs", () => kit.fetch("/out", join(temporaryFolder(), "x"), { timeoutMs: 0.5 })],
  ["timeoutMs", () => model.search({ budget: 1, choose: corpus, timeoutMs: 0 })],
  [
    "timeoutMs",
    () => model.searchDraws({ texts: { own: { texts } }, split: { choose: 1 }, methods: {}, timeoutMs: -1 }),
  ],
  ["timeoutMs", () => model.splitText({ texts }, { choose: 1, timeoutMs: "1 h" as Anything })],
  ["timeoutMs", () => model.unitCosts({ timeoutMs: Number.NaN })],
  ["timeoutMs", () => model.repairGaps(corpus, "block", { method: "emulated-update", timeoutMs: 0 })],
  ["timeoutMs", () => model.evaluate([], { timeoutMs: 0 })],
  [
    "timeoutMs",
    () => sdk.prune(kit, { model: "smollm2-135m", budget: 1, data: { texts }, out: "out", timeoutMs: 0 }),
  ],
  ["timeoutMs", () => sdk.runPlan(kit, plan, { folder: "run", timeoutMs: 0 })],
  [
    "timeoutMs",
    () => sdk.compareRepairs(model, corpus, { repairs: [], evaluate: async () => ({}), timeoutMs: 0 }),
  ],
  ["devices", () => Depthkit.pool({ devices: [] })],
  [
    "repairs",
    () => sdk.compareRepairs(model, corpus, { repairs: "bias" as Anything, evaluate: async () => ({}) }),
  ],
  [
    "repairs.0.steps",
    () =>
      sdk.compareRepairs(model, corpus, {
        repairs: [{ name: "a", steps: "bias" as Anything }],
        evaluate: async () => ({}),
      }),
  ],
  [
    "repairs.0.steps.0",
    () =>
      sdk.compareRepairs(model, corpus, {
        repairs: [{ name: "a", steps: [{ method: "bias", rank: 3 } as Anything] }],
        evaluate: async () => ({}),
      }),
  ],
  ["before", () => sdk.compareEvaluations("perplexity" as Anything, [])],
  ["lists", () => sdk.compareScores("cosine" as Anything)],
  ["lists.0.scores", () => sdk.compareScores([{ name: "a", scores: "cosine" as Anything }])],
  ["candidates", () => sdk.searchGame(game, { strategy: "tail", budget: 1, candidates: "a" as Anything })],
  ["pattern", () => sdk.searchGame(game, { strategy: "tail", budget: 1, pattern: "keep" as Anything })],
  ["pattern", () => model.search({ budget: 1, choose: corpus, pattern: "drop" as Anything })],
  ["exportable", () => model.search({ budget: 1, choose: corpus, exportable: "pdf" as Anything })],
  [
    "budget",
    () => sdk.searchGame(game, { strategy: "tail", budget: { cost: "x", share: 0.5, totl: 1 } as Anything }),
  ],
  ["choices", () => sdk.choiceCertainty({ players: ["a"], choices: "a" as Anything })],
  ["first.results", () => sdk.compareChoices({ name: "a", results: "12" as Anything }, way)],
  ["removed", () => sdk.keepsPattern({ kinds: ["a", "b"], period: 2, last: "b" }, "1" as Anything)],
  ["counts", () => sdk.measureRemovalCosts(scores, async () => ({}), { counts: "12" as Anything })],
  [
    "players",
    () => Journal.open({ directory: temporaryFolder(), key: 1, players: "abc" as Anything, values: ["v"] }),
  ],
  [
    "values",
    () => Journal.open({ directory: temporaryFolder(), key: 1, players: ["a"], values: "v" as Anything }),
  ],
  [
    "key",
    () =>
      Journal.open({
        directory: temporaryFolder(),
        key: { seed: Number.NaN },
        players: ["a"],
        values: ["v"],
      }),
  ],
  ["names", () => sdk.checkUnits("block.3" as Anything, 30)],
  ["name", () => sdk.parseUnit(3 as Anything)],
  ["players", () => shapley.gameFromFunction(() => 0, { players: "abc" as Anything })],
  ["players", () => shapley.gameFromFunction(() => 0, { players: 2.5 })],
  ["values", () => shapley.gameFromFunction(() => 0, { players: 2, values: "value" as Anything })],
  ["players", () => new shapley.CachedGame({ ...game, players: "abc" } as Anything)],
  ["players", () => shapley.estimateShapley({ ...game, players: "abc" } as Anything)],
  [
    "method",
    () => shapley.estimateShapley(game, { method: { name: "permutation", walkz: "plain" } as Anything }),
  ],
  ["target", () => shapley.estimateShapley(game, { target: "shaply" as Anything })],
  ["stop.lowest", () => shapley.estimateShapley(game, { stop: { lowest: "4" } as Anything })],
  ["interactions", () => shapley.estimateShapley(game, { interactions: "yes" as Anything })],
  ["a", () => shapley.compareEstimates({} as Anything, {} as Anything)],
  ["bars", () => report.renderBars("abc" as Anything)],
  ["rows.0", () => report.renderTable([{ title: "a" }], ["abc"] as Anything)],
  ["columns.0.align", () => report.renderTable([{ title: "a", align: "middle" as Anything }], [])],
  ["lowest", () => report.renderTradeOffs(sdk.compareScores(scores), { lowest: "12" as Anything })],
  ["count", () => Influence.prototype.highest.call(undefined as Anything, -1)],
  // What a worker holds.
  ["corpus", () => model.influence("text.txt" as Anything)],
  ["corpus", () => model.without(["block.3"]).repair("text.txt" as Anything, { method: "bias" })],
  ["corpus", () => model.influence(task as Anything)],
  ["data", () => model.evaluateSubnetworks("text.txt" as Anything, [[]]).result],
  ["data", () => model.game("text.txt" as Anything)],
  ["task", () => model.choices("tasks.jsonl" as Anything)],
  ["task", () => model.choices(questions as Anything)],
  ["task", () => model.lastWord(corpus as Anything)],
  ["task", () => model.solve(task as Anything)],
  ["metric", () => model.influence(corpus, { metric: "cosin" as Anything })],
  ["units", () => model.influence(corpus, { metric: "taylor", units: "head" as Anything })],
  // An empty path would be the current folder.
  ["target", () => model.export("", { format: "huggingface", overwrite: true })],
  ["folder", () => model.save("", { overwrite: true })],
  ["folder", () => model.loadSubnetwork("")],
  [
    "training.folder",
    () => model.without(["block.3"]).repair(corpus, { method: "bias", training: { folder: "" } }),
  ],
  // Half a surrogate pair, as a string cut in the middle of a character has.
  ["data.texts.1", () => model.loadCorpus({ texts: ["whole", "cut \ud83d"] })],
  ["data.texts.0", () => model.perplexity({ texts: ["\ude00 cut"] })],
  ["prompts.0", () => model.generate("cut \ud83d")],
  ["stop.0", () => model.generate("x", { stop: ["\ud83d"] })],
  ["note", () => model.export("x", { format: "huggingface", note: "\ud83d" })],
  [
    "evaluations.0.data.texts.0",
    () => model.evaluate([{ kind: "perplexity", data: { texts: ["cut \ud83d"] } }]),
  ],
  [
    "calibration.data.texts.0",
    () =>
      sdk.runPlan(
        kit,
        { ...plan, calibration: { data: { texts: ["cut \ud83d"] } } },
        { folder: temporaryFolder() },
      ),
  ],
];

test.each(lists)("the path of what is refused: %s of %s", async (path, call) => {
  const error = await refusalOf(call);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", details: { paths: [path] } });
});

test("a row with half a surrogate pair is refused with its place, as a file's line is", async () => {
  const cut = [{ ...rows[0], question: "cut \ud83d" }];
  const error = await refusalOf(() => model.loadTask({ rows: cut }, { format: template }));
  expect(error.message).toMatch(/row 1: field 'question' .*half a surrogate pair/);
});

test("every public call is among these", () => {
  const walked = new Set(calls.map(([name]) => name));
  // Calls that take no options; what they take is among the lists above, or is a number.
  const without = new Set([
    ..."Depthkit.close Model.units Model.close Subnetwork.without Subnetwork.withPolicy Subnetwork.close".split(
      " ",
    ),
    "proposeSkipWindow",
    ..."checkUnits parseUnit isErrorCode packageVersion pythonReference compareScores compareEvaluations compareStudies".split(
      " ",
    ),
    ..."compareEstimates prefixCost keepsPattern nearestKeepingPattern definePlan studyRows readRanking".split(
      " ",
    ),
    ..."formatBytes formatCount formatNumber formatSeconds renderTable renderRemovalCosts studyReport".split(
      " ",
    ),
  ]);
  const methodsOf = (name: string, one: object) =>
    Object.getOwnPropertyNames(one)
      .filter(
        (key) =>
          key !== "constructor" && typeof Object.getOwnPropertyDescriptor(one, key)?.value === "function",
      )
      .map((key) => `${name}.${key}`);
  const isClass = (value: unknown) => String(value).startsWith("class ");
  const functions = [sdk, shapley, report].flatMap((entry) =>
    Object.entries(entry).flatMap(([name, value]) =>
      typeof value === "function" && !isClass(value) ? [name] : [],
    ),
  );
  const modelPrototype = Object.getPrototypeOf(model) as object;
  const found = [
    ...functions,
    ...methodsOf("Depthkit", Depthkit.prototype),
    "Depthkit.start",
    "Depthkit.pool",
    ...methodsOf("Model", modelPrototype),
    ...methodsOf("Subnetwork", Object.getPrototypeOf(modelPrototype) as object),
    ...methodsOf("PolicySubnetwork", Object.getPrototypeOf(policed) as object),
  ];
  expect(found.filter((name) => !walked.has(name) && !without.has(name))).toEqual([]);
  expect(Influence.prototype.by).toBeTypeOf("function");
});
