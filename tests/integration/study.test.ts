import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  compareStudies,
  Depthkit,
  definePlan,
  runPlan,
  type StudyEvent,
  type StudyRecord,
  studyRows,
} from "../../src/index.ts";
import { renderReport, studyReport } from "../../src/report/index.ts";
import { recordSchema } from "../../src/schemas.ts";
import { describeWithBrowser, keepScreenshot, openBrowser } from "./browser.ts";
import { cli } from "./cli.ts";
import { figuresWithoutWords, misplacedTexts, misplacedTips, overflow } from "./page-checks.ts";
import { openPage, screenshots, writtenReport } from "./report-page.ts";
import { tinyModel } from "./tiny-model.ts";

const names = "Ada Bea Cid Dan Eva Fay Gus Hal Ida Jon".split(" ");
const lines = Array.from({ length: 400 }, (_, at) => {
  const [one, other] = [names[at % 10], names[(at * 7 + 3) % 10]];
  return `${one} gave ${other} ${(at * 37) % 101} coins for day ${at} and kept ${(at * 13) % 17} of them.`;
});
const boats = Array.from({ length: 200 }, (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`);
const rows = Array.from({ length: 6 }, (_, index) => ({
  task: "arc_easy",
  question: `How many coins did ${names[index]} give?`,
  choices: ["one", "two"],
  answer: index % 2,
}));

let folder: string;
let tiny: string;
let kit: Depthkit;
let record: StudyRecord;
const events: StudyEvent[] = [];

const planOf = (model: string) =>
  definePlan({
    title: "A study of six small blocks",
    model: { source: model, device: "cpu", name: "tiny" },
    calibration: { name: "coins", data: { texts: lines }, sequences: 4, length: 32, choose: [2, 4] },
    rankings: [
      { by: "influence", metric: { each: ["cosine", "taylor"] } },
      { by: "influence", units: ["attention", "feed-forward"], of: "block" },
      { by: "leave-one-out", candidates: 4 },
      { by: "values", target: { horizon: 2 }, evaluations: 40, interactions: true },
      { by: "search", recipe: "tail" },
      { by: "search", strategy: "greedy", name: "greedy" },
      { by: "order", name: "front", order: ["block.0", "block.2", "block.1"] },
    ],
    removals: [1, 3],
    draws: 2,
    repairs: [
      { method: "fold" },
      {
        name: "healed",
        steps: [
          { method: "emulated-update" },
          { method: "lora", rank: 1, training: { steps: 2, validation: 0 } },
        ],
        where: { rankings: ["cosine"], counts: [1] },
      },
    ],
    evaluations: [
      { kind: "perplexity", name: "boats", data: { texts: boats }, chunk: 32, maxChunks: 6 },
      { kind: "questions", name: "coins", data: { rows }, where: { repairs: ["none"] } },
      {
        kind: "probe",
        probe: "sums",
        items: 3,
        shots: 0,
        maxNewTokens: 2,
        where: { rankings: ["cosine"], repairs: ["none"] },
      },
    ],
    texts: { prompts: ["Ada gave"], maxNewTokens: 3, where: { rankings: ["cosine"], counts: [0, 3] } },
  } as const);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-study-"));
  tiny = await tinyModel(folder);
  kit = await Depthkit.start();
  record = await runPlan(kit, planOf(tiny), { folder: at("whole"), onEvent: (event) => events.push(event) });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const withoutTimings = ({ timings: _, ...rest }: StudyRecord) => rest;

test("every ranking has its sets, grids are spelled out, and draws are measured apart", () => {
  expect(recordSchema.parse(JSON.parse(readFileSync(at("whole/record.json"), "utf8")))).toEqual(record);
  const rankings = record.plan.rankings.map(({ name }) => name);
  expect(rankings).toEqual([
    "cosine",
    "taylor",
    "cosine attention+feed-forward of blocks",
    "leave-one-out",
    "horizon 2",
    "tail",
    "greedy",
    "front",
  ]);
  expect(record.rankings).toHaveLength(2 * rankings.length);
  for (const { ranking, sets, error } of record.rankings) {
    expect(error, ranking).toBeNull();
    expect(sets.map(({ removed }) => removed.length)).toEqual([1, 3]);
  }
  const of = (ranking: string, draw: number) =>
    record.rankings.find((one) => one.ranking === ranking && one.draw === draw);
  expect(of("tail", 0)?.sets[1]?.removed).toEqual(["block.2", "block.3", "block.4"]);
  expect(of("front", 1)?.sets[0]?.removed).toEqual(["block.0"]);
  expect(Object.keys(of("leave-one-out", 0)?.scores ?? {})).toHaveLength(4);
  expect(of("horizon 2", 0)?.estimated?.interactions.length).toBe(15);
  const [first, second] = record.calibrations.map(({ measured }) => measured.numbers ?? []);
  expect([first?.length, second?.length]).toEqual([4, 4]);
  expect(first?.filter((number) => second?.includes(number))).toEqual([]);
});

test("a subnetwork is measured once, whatever leads to it, and its figures are those of calls by hand", async () => {
  const ids = record.subnetworks.map(({ removed, repair }) =>
    JSON.stringify([removed, repair?.name, repair?.draw]),
  );
  expect(new Set(ids).size).toBe(ids.length);
  const results = record.results.map(({ subnetwork, evaluation }) => `${subnetwork} ${evaluation}`);
  expect(new Set(results).size).toBe(results.length);

  await using model = await kit.loadModel(tiny, { device: "cpu" });
  const tail = record.points.find(
    ({ ranking, removal, repair }) => ranking === "tail" && removal === 3 && repair === null,
  );
  const found = (evaluation: string, measure: string) =>
    record.results.find((one) => one.subnetwork === tail?.subnetwork && one.evaluation === evaluation)
      ?.values[measure];
  const pruned = model.without(["block.2", "block.3", "block.4"]);
  const perplexity = await pruned.perplexity({ texts: boats }, { chunk: 32, maxChunks: 6 });
  expect(found("boats", "perplexity")?.value).toBeCloseTo(Number(perplexity.perplexity), 2);
  await using task = await model.loadTask({ rows });
  const choices = await pruned.choices(task);
  expect(found("coins", "accuracy")?.value).toBe(choices.acc.micro);
  expect(found("coins", "choice-loss")?.value).toBeCloseTo(choices.choiceLoss, 5);

  const numbers = record.calibrations[0]?.measured.numbers;
  await using corpus = await model.loadCorpus({ texts: lines }, { numbers, length: 32 });
  const [first] = record.points.filter(({ ranking, repair }) => ranking === "tail" && repair === "fold");
  await using folded = await model.without(["block.4"]).repair(corpus, { method: "fold" });
  const repaired = await folded.perplexity({ texts: boats }, { chunk: 32, maxChunks: 6 });
  const taken = record.results.find(
    ({ subnetwork, evaluation }) => subnetwork === first?.subnetwork && evaluation === "boats",
  );
  expect(taken?.values["perplexity"]?.value).toBeCloseTo(Number(repaired.perplexity), 2);
});

test("what cannot be done is a row with its error, and the rest goes on", () => {
  const fold = record.subnetworks.filter(
    ({ removed, repair }) => removed.includes("block.0") && repair?.name === "fold",
  );
  expect(fold.length).toBeGreaterThan(0);
  for (const { error } of fold) expect(error?.message).toContain("no feed-forward comes before it");
  expect(events.filter(({ kind }) => kind === "failed").length).toBeGreaterThan(0);
  const healed = record.subnetworks.filter(({ repair }) => repair?.name === "healed");
  expect(healed.every(({ error, repair }) => error === null && repair?.reports.length === 2)).toBe(true);
  const failed = studyRows(record).filter(({ error }) => error !== "");
  expect(
    failed.every(({ repair, removed }) => repair === "fold" && removed.some((unit) => unit !== "block")),
  ).toBe(true);
});

test("the same plan takes everything from the journal, and its record is the same", async () => {
  const known: boolean[] = [];
  const again = await runPlan(kit, planOf(tiny), {
    folder: at("whole"),
    onEvent: (event) => void (event.kind === "step" && known.push(event.known)),
  });
  expect(withoutTimings(again)).toEqual(withoutTimings(record));
  expect(known.every(Boolean)).toBe(true);
});

test("a text that changes under its name is measured anew", async () => {
  const { model, calibration } = planOf(tiny);
  const measure = async (text: readonly string[]) => {
    writeFileSync(at("changing.txt"), text.join("\n"));
    const { results } = await runPlan(
      kit,
      {
        model,
        calibration,
        rankings: [{ by: "search", recipe: "tail" }],
        removals: [1],
        evaluations: [
          {
            kind: "perplexity",
            name: "strided",
            data: at("changing.txt"),
            chunk: 32,
            stride: 16,
            maxChunks: 3,
          },
          { kind: "perplexity", name: "chunks", data: at("changing.txt"), chunk: 32, maxChunks: 3 },
        ],
      },
      { folder: at("changing") },
    );
    return results.map(({ values }) => values["loss"]?.value);
  };
  const first = await measure(boats);
  const other = await measure(lines);
  expect(first.every((loss, index) => loss !== other[index])).toBe(true);
  expect(await measure(boats)).toEqual(first);
});

test("a record names every file that was read, and has the notes of what was made", async () => {
  writeFileSync(at("shots.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  writeFileSync(at("boats.txt"), boats.join("\n"));
  const { model, calibration } = planOf(tiny);
  const { files, warnings } = await runPlan(
    kit,
    {
      model,
      calibration,
      rankings: [{ by: "search", recipe: "tail", repair: { method: "low-rank", rank: 2 } }],
      removals: [1],
      evaluations: [
        { kind: "perplexity", data: at("boats.txt"), chunk: 32, maxChunks: 1 },
        { kind: "perplexity", name: "again", data: { texts: lines }, chunk: 16, maxChunks: 4 },
        { kind: "questions", name: "coins", data: { rows }, shots: 1, shotsFrom: at("shots.jsonl") },
      ],
    },
    { folder: at("notes") },
  );
  const digest = (name: string) =>
    createHash("sha256")
      .update(readFileSync(at(name)))
      .digest("hex");
  expect(files).toEqual({
    [at("boats.txt")]: digest("boats.txt"),
    [at("shots.jsonl")]: digest("shots.jsonl"),
  });
  expect(warnings.some((note) => note.startsWith("tail under repair: Sets were scored with repairs"))).toBe(
    true,
  );
  // Of the texts that are measured one is the calibration's.
  const shared = warnings.filter((note) => note.includes("looks better here than it is"));
  expect(shared).toEqual([expect.stringMatching(/of `again` stand in `coins` too/)]);
});

test("a study compares with itself, and names what keeps figures apart", async () => {
  const same = compareStudies(record, record);
  expect(same.protocols).toEqual([]);
  expect(same.rows.length).toBeGreaterThan(50);
  expect(same.rows.every(({ difference }) => difference === null || difference === 0)).toBe(true);
  const plan = planOf(tiny);
  const [perplexity, questions] = plan.evaluations;
  const other = await runPlan(
    kit,
    {
      ...plan,
      rankings: [{ by: "search", recipe: "tail" }],
      repairs: [],
      draws: 1,
      evaluations: [{ ...perplexity, chunk: 16 }, questions],
      texts: undefined,
    },
    { folder: at("other") },
  );
  const compared = compareStudies(record, other);
  expect(compared.protocols.map(({ evaluation }) => evaluation)).toEqual(["boats"]);
  const fields = compared.protocols[0]?.fields.map(({ field }) => field);
  expect(fields).toContain("chunk");
  expect(fields).toContain("tokensScored");
  expect(compared.rows.every(({ one }) => one.evaluation !== "boats")).toBe(true);
  expect(compared.rows.some(({ one }) => one.evaluation === "coins" && one.ranking === "tail")).toBe(true);
});

test("its report has a figure of everything, and no number that is none", async () => {
  const document = studyReport([record]);
  const ids = document.sections.flatMap(({ figures }) => figures.map(({ id }) => id));
  for (const sign of [
    "removal",
    "repair",
    "won-back",
    "influence",
    "angles",
    "values",
    "pairs",
    "who-goes",
    "draws",
    "cost",
    "texts",
  ]) {
    expect(
      ids.some((id) => id.startsWith(sign)),
      sign,
    ).toBe(true);
  }
  const files = await renderReport(document);
  const page = new TextDecoder().decode(files.get("report.html"));
  expect(page).toContain("A study of six small blocks");
  expect(page).not.toMatch(/NaN|undefined|\[object/);
  expect(files.size).toBe(1 + 3 * ids.length);
});

test("rankings that look at losses may be screened, and say so", async () => {
  const screened = await runPlan(
    kit,
    definePlan({
      model: { source: tiny, device: "cpu", name: "tiny" },
      calibration: { name: "coins", data: { texts: lines }, sequences: 4, length: 32, choose: [1, 2] },
      rankings: [
        { by: "leave-one-out", precision: "screen" },
        { by: "values", evaluations: 20, precision: "screen" },
        { by: "search", strategy: "greedy", precision: "screen" },
        { by: "search", strategy: "greedy", name: "exact" },
      ],
      removals: [2],
      evaluations: [{ kind: "perplexity", name: "boats", data: { texts: boats }, chunk: 32, maxChunks: 2 }],
    }),
    { folder: at("screened") },
  );
  const said = screened.rankings.map(({ ranking, notes }) => [
    ranking,
    notes.some((one) => /screen/.test(one)),
  ]);
  expect(said).toEqual([
    [expect.any(String), true],
    [expect.any(String), true],
    [expect.any(String), true],
    ["exact", false],
  ]);
});

test("subnetworks follow a policy, beside its controls, and what was skipped is told", async () => {
  const skipping = {
    kind: "feed-forward-skipping",
    start: 1,
    end: 5,
    threshold: 0.5,
    run: 1,
    warmUp: 2,
  } as const;
  const prompt = { kind: "prompt-skipping", start: 1, end: 5 } as const;
  const { model, calibration } = planOf(tiny);
  const text = { kind: "perplexity", data: { texts: boats }, chunk: 32, maxChunks: 4 } as const;
  const plan = definePlan({
    model,
    calibration,
    rankings: [{ by: "search", recipe: "tail" }],
    removals: [1],
    evaluations: [
      { ...text, name: "boats" },
      { ...text, name: "policed", policy: skipping, controls: true },
      { kind: "questions", name: "coins", data: { rows }, policy: skipping, where: { counts: [0] } },
      {
        ...{ kind: "probe", probe: "sums", items: 2, shots: 1, maxNewTokens: 2 },
        ...{ name: "read less", policy: prompt, where: { counts: [0] } },
      },
      {
        ...{ kind: "profile", policy: skipping, promptTokens: 8, contextTokens: 8, newTokens: 2 },
        ...{ batchSizes: [1], rounds: 2, where: { counts: [0] } },
      },
    ],
  } as const);
  const policed = await runPlan(kit, plan, { folder: at("policed") });
  const wholeId = policed.subnetworks.find(({ removed }) => removed.length === 0)?.id;
  const resultOf = (evaluation: string, subnetwork = wholeId) =>
    policed.results.find((one) => one.subnetwork === subnetwork && one.evaluation === evaluation);
  expect(policed.results.filter(({ error }) => error !== null)).toEqual([]);

  await using loaded = await kit.loadModel(tiny, { device: "cpu" });
  const asked = { chunk: 32, maxChunks: 4 };
  for (const { id, removed } of policed.subnetworks) {
    const byHand = await loaded.without(removed).withPolicy(skipping).compare({ texts: boats }, asked);
    const result = resultOf("policed", id);
    const values = result?.values ?? {};
    const { loss, skips } = byHand.policy.perplexity;
    expect(values["loss"]?.value).toBe(loss);
    expect(skips?.share).toBeGreaterThan(0);
    expect(values["skipped"]?.value).toBe(skips?.share);
    expect(values["whole above policy"]?.value).toBe(byHand.whole.lossDifference?.difference);
    expect(values["static mask above policy"]).toEqual({
      value: byHand.fixed.lossDifference?.difference,
      standardError: byHand.fixed.lossDifference?.standardError,
    });
    const meanOf = (numbers: readonly number[]) =>
      numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
    const losses = byHand.random.map((one) => one.perplexity.loss);
    expect(values["random skips above policy"]?.value).toBeCloseTo(meanOf(losses) - loss, 9);
    const shares = byHand.random.map((one) => one.perplexity.skips?.share ?? Number.NaN);
    expect(values["skipped by random skips"]?.value).toBeCloseTo(meanOf(shares), 9);
    expect(values["random skips above policy"]?.standardError).toBeGreaterThan(0);
    // As the subnetwork itself, which the evaluation without a policy has.
    const own = resultOf("boats", id)?.values["loss"]?.value ?? Number.NaN;
    expect(loss + (values["whole above policy"]?.value ?? Number.NaN)).toBeCloseTo(own, 5);
    expect(result?.perItem).toHaveLength(4);
  }
  await using task = await loaded.loadTask({ rows });
  const choices = await loaded.withPolicy(skipping).choices(task);
  expect(resultOf("coins")?.values).toMatchObject({
    accuracy: { value: choices.acc.micro },
    "choice-loss": { value: expect.closeTo(choices.choiceLoss, 9) },
    skipped: { value: choices.skips?.share },
  });
  expect(resultOf("read less")?.values).toHaveProperty("accuracy");
  expect(policed.timings.profiles).toMatchObject([
    { evaluation: "profile under feed-forward-skipping", profile: { masked: {}, skips: {} } },
  ]);

  const known: boolean[] = [];
  const again = await runPlan(kit, plan, {
    folder: at("policed"),
    onEvent: (event) => void (event.kind === "step" && known.push(event.known)),
  });
  expect(withoutTimings(again)).toEqual(withoutTimings(policed));
  expect(known.every(Boolean)).toBe(true);

  const less = { ...plan, evaluations: [{ ...text, name: "policed", policy: { ...skipping, run: 2 } }] };
  const other = await runPlan(kit, less, { folder: at("policed") });
  const { protocols, rows: compared } = compareStudies(policed, other);
  expect(protocols.map(({ fields }) => fields.map(({ field }) => field))).toEqual([["policy.run"]]);
  expect(compared).toEqual([]);

  const document = studyReport([policed]);
  const [table] = document.sections.find(({ id }) => id === "policies")?.figures ?? [];
  if (table?.kind !== "table") throw new Error("There is no table of policies.");
  expect(table.rows.map(([first]) => first)).toEqual([
    "policed, the whole model",
    "policed, without block.4",
    "coins, the whole model",
    "read less, the whole model",
  ]);
  expect(document.protocols.map(({ description }) => description).join()).toContain("threshold 0.5");
  const page = new TextDecoder().decode((await renderReport(document)).get("report.html"));
  expect(page).not.toMatch(/NaN|undefined|\[object/);

  const beyond = { ...plan, evaluations: [{ ...text, policy: { ...skipping, end: 7 } }] };
  await expect(runPlan(kit, beyond, { folder: at("beyond") })).rejects.toThrow(
    /evaluations\.0\.policy\.end: 7; expected a block behind the start, 1, up to 6/,
  );
});

test("its removals stand by share of parameters or of measured time, where time was measured", async () => {
  const timed = await runPlan(
    kit,
    definePlan({
      model: { source: tiny, device: "cpu", name: "tiny" },
      calibration: { name: "coins", data: { texts: lines }, sequences: 4, length: 32 },
      rankings: [{ by: "influence", metric: "cosine" }],
      removals: [1, 3],
      evaluations: [
        { kind: "perplexity", name: "boats", data: { texts: boats }, chunk: 32, maxChunks: 6 },
        {
          kind: "profile",
          modes: ["physical"],
          promptTokens: 8,
          contextTokens: 8,
          newTokens: 2,
          batchSizes: [1],
          rounds: 2,
          where: { counts: [0, 3] },
        },
      ],
    }),
    { folder: at("timed") },
  );
  const removalOf = (across: "removals" | "parameters" | "time") => {
    const figures = studyReport([timed], { across }).sections.flatMap((section) => section.figures);
    const found = figures.find(({ id }) => id.startsWith("removal"));
    if (found?.kind !== "lines") throw new Error("There is no figure of removals.");
    return found;
  };
  const xs = (across: "removals" | "parameters" | "time") =>
    removalOf(across).series[0]?.points.map(({ x }) => x) ?? [];
  expect(xs("removals")).toEqual([0, 1, 3]);
  const whole = timed.models[0]?.info.parameters ?? Number.NaN;
  const [, one = 0, three = 0] = xs("parameters");
  const gone = timed.subnetworks.find(({ removed }) => removed.length === 3)?.costs.parameters ?? Number.NaN;
  expect(three).toBeCloseTo(1 - gone / whole, 10);
  expect(three).toBeCloseTo(3 * one, 10);
  // Without one block no time was asked for.
  const byTime = removalOf("time");
  expect(byTime.series[0]?.points).toHaveLength(2);
  expect(byTime.caption).toContain("One point was not timed. ");
  expect(byTime.x.name).toBe("share of a token's time saved");
  const without = timed.subnetworks.find(({ removed }) => removed.length === 3)?.id;
  const profile = timed.timings.profiles.find(({ subnetwork }) => subnetwork === without)?.profile;
  // On a busy machine three blocks fewer may take longer, and then stand before the whole model's 0.
  const saved = xs("time").find((x) => x !== 0) ?? Number.NaN;
  expect(profile).toMatchObject({
    physical: { decode: [{ againstDense: { median: expect.closeTo(1 / (1 - saved), 10) } }] },
  });
  expect(() => studyReport([record], { across: "time" })).toThrow(/timed no subnetwork/);
  expect(() => studyReport([record], { across: "size" as "time" })).toThrow(/across/);
});

describeWithBrowser("its report in a browser", () => {
  let browser: Browser;
  let address: string;
  beforeAll(async () => {
    address = await writtenReport(studyReport([record]), join(screenshots, "study"));
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test.each([1200, 390])("%i wide: everything is in its place", async (width) => {
    await using opened = await openPage(browser, address, width);
    const { page, said } = opened;
    await keepScreenshot(page, join(screenshots, `study-${width}.png`));
    expect(await page.evaluate(overflow)).toEqual({ page: 0, wide: [] });
    expect(await page.evaluate(misplacedTexts)).toEqual({ enough: true, found: [] });
    expect(((await page.evaluate(misplacedTips)) as { found: string[] }).found).toEqual([]);
    expect(await page.evaluate(figuresWithoutWords)).toEqual([]);
    expect(said).toEqual([]);
  });
});

test("killed again and again, it ends with the record that it makes uninterrupted", async () => {
  writeFileSync(at("plan.json"), JSON.stringify(planOf(tiny)));
  let killed = 0;
  for (const after of [4, 21, 33, 47, 71]) {
    const child = start(["run", "plan.json", "--out", "killed"]);
    killed += (await killAfter(child, after)) ? 1 : 0;
  }
  expect(killed).toBeGreaterThan(3);
  expect(await ended(start(["run", "plan.json", "--out", "killed"]))).toBe(1); // a fold does not apply
  const resumed = JSON.parse(readFileSync(at("killed/record.json"), "utf8")) as StudyRecord;
  expect(JSON.stringify(withoutTimings(resumed))).toBe(JSON.stringify(withoutTimings(record)));
});

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...cli, ...args], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

/** Kills it once it has said so many lines; whether it lived that long. */
async function killAfter(child: ChildProcess, count: number): Promise<boolean> {
  const closed = once(child, "close");
  let [seen, killed] = [0, false];
  if (child.stderr !== null) {
    for await (const _ of createInterface({ input: child.stderr })) {
      seen += 1;
      if (seen === count) killed = child.kill("SIGKILL");
    }
  }
  await closed;
  return killed;
}

async function ended(child: ChildProcess): Promise<number | null> {
  child.stderr?.resume();
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}
