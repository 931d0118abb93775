/** What a plan costs, told before it is run: counts that the run then has, and nothing of how long. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Depthkit,
  definePlan,
  type Plan,
  planStudy,
  runPlan,
  type StudyCost,
  type StudyEvent,
  type StudyRecord,
} from "../../src/index.ts";
import { studyCostSchema } from "../../src/schemas.ts";
import { tinyModel } from "./tiny-model.ts";

const lines = Array.from({ length: 400 }, (_, at) => `On day ${at} she counted ${(at * 37) % 101} coins.`);
const boats = Array.from({ length: 200 }, (_, at) => `In year ${at * 7} a boat of ${at % 13} left port.`);
const rows = Array.from({ length: 6 }, (_, index) => ({
  task: "arc_easy",
  question: `How many coins did she count on day ${index}?`,
  choices: ["one", "two"],
  answer: index % 2,
}));

let folder: string;
let tiny: string;
let kit: Depthkit;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-cost-"));
  tiny = await tinyModel(folder);
  kit = await Depthkit.start();
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);

const influencePlan = () =>
  definePlan({
    model: { source: tiny, device: "cpu", name: "tiny" },
    calibration: { name: "coins", data: { texts: lines }, sequences: 4, length: 32 },
    rankings: [
      { by: "influence", metric: { each: ["cosine", "relative-l2"] } },
      { by: "order", name: "front", order: ["block.0", "block.2", "block.1"] },
    ],
    removals: [1, 2, 3],
    draws: 2,
    evaluations: [
      // Twenty sequences of 32 tokens are more than one batch, six are one.
      { kind: "perplexity", name: "long", data: { texts: boats }, chunk: 32, maxChunks: 20 },
      { kind: "perplexity", name: "short", data: { texts: boats }, chunk: 32, maxChunks: 6 },
      { kind: "questions", name: "coins", data: { rows } },
    ],
  } as const);

const manyPlan = () =>
  definePlan({
    ...influencePlan(),
    rankings: [
      { by: "influence", metric: { each: ["cosine", "taylor"] } },
      { by: "leave-one-out" },
      { by: "values", target: { horizon: 2 }, evaluations: 20 },
      { by: "search", strategy: "greedy", name: "greedy" },
      { by: "search", recipe: "tail" },
      { by: "search", recipe: "deeper-layers" },
      { by: "search", strategy: "iterative", scores: { metric: "cosine" }, name: "iterative" },
    ],
    removals: [1, 2],
    draws: 1,
    repairs: [
      { method: "emulated-update" },
      {
        name: "healed",
        steps: [{ method: "lora", rank: 1, training: { steps: 3, validation: 0 } }],
        where: { rankings: ["cosine"], counts: [1] },
      },
    ],
    evaluations: [
      { kind: "perplexity", name: "boats", data: { texts: boats }, chunk: 32, maxChunks: 6 },
      { kind: "perplexity", name: "sliding", data: { texts: boats }, chunk: 32, stride: 16, maxChunks: 3 },
      { kind: "probe", probe: "sums", items: 3, shots: 0, maxNewTokens: 2, where: { counts: [0] } },
      {
        kind: "lm-eval",
        name: "harness",
        tasks: ["piqa"],
        where: { counts: [0], repairs: ["none"], rankings: ["cosine"] },
      },
    ],
    texts: { prompts: ["Ada gave"], maxNewTokens: 3, where: { rankings: ["cosine"], counts: [0, 2] } },
  } as const);

const rowsOf = ({ rows: all }: StudyCost, kind: string) => all.filter((row) => row.kind === kind);
const countedOf = ({ timings }: StudyRecord, evaluation: string) =>
  timings.steps.find(({ step }) => step.startsWith(`${evaluation}:`))?.blockEvaluations;

test("where every order is known, the run has the subnetworks and the block evaluations that were told", async () => {
  const cost = await planStudy(kit, influencePlan(), { folder: at("known") });
  expect(studyCostSchema.parse(JSON.parse(JSON.stringify(cost)))).toEqual(cost);
  expect(cost.rows.every(({ exact }) => exact)).toBe(true);
  const events: StudyEvent[] = [];
  const record = await runPlan(kit, influencePlan(), {
    folder: at("known"),
    onEvent: (event) => events.push(event),
  });
  const totals = events.flatMap((event) => ("total" in event ? [event.total] : []));
  expect(totals.at(-1)).toBe(record.timings.steps.length);
  expect(events[0]).toEqual({ kind: "begun", total: 9, planned: record.timings.planned });
  const measured = events.filter(({ kind }) => kind === "measured");
  expect(measured).toHaveLength(record.results.length);
  expect(cost.subnetworks).toEqual({
    expected: record.subnetworks.length,
    most: record.subnetworks.length,
  });
  for (const { what, steps, subnetworks, blockEvaluations } of rowsOf(cost, "evaluation")) {
    expect(steps, what).toBe(record.subnetworks.length);
    expect(subnetworks, what).toBe(record.subnetworks.length);
    expect(blockEvaluations, what).toBeCloseTo(countedOf(record, what) ?? Number.NaN, 6);
  }
});

test("the run goes on from what was measured for the cost, and its record says what was told", async () => {
  const steps = readFileSync(at("known/steps.jsonl"), "utf8").split("\n").length;
  const record = JSON.parse(readFileSync(at("known/record.json"), "utf8")) as StudyRecord;
  const { planned, took } = record.timings;
  expect(took).toBeCloseTo(
    record.timings.steps.reduce((sum, { seconds }) => sum + seconds, 0),
    9,
  );
  expect(planned?.seconds).toBeGreaterThan(0);
  expect(planned?.low).toBeLessThanOrEqual(planned?.seconds ?? 0);
  expect(planned?.high).toBeGreaterThanOrEqual(planned?.seconds ?? 0);
  // Asked again it neither says otherwise nor adds a step.
  const again = await planStudy(kit, influencePlan(), { folder: at("known") });
  expect(readFileSync(at("known/steps.jsonl"), "utf8").split("\n")).toHaveLength(steps);
  expect(again).toMatchObject({ seconds: 0, low: 0, high: 0, bytes: expect.any(Number) });
  expect(again.rows.every(({ steps: all, known }) => all === known)).toBe(true);
  expect(again.blockEvaluations).toBe(0);
  expect((await runPlan(kit, influencePlan(), { folder: at("known") })).timings.planned).toEqual(planned);
  const { timings: _, ...unplanned } = await runPlan(kit, influencePlan(), { folder: at("unplanned") });
  const { timings: __, ...told } = record;
  expect(JSON.stringify(unplanned)).toBe(JSON.stringify(told));
});

test("a part that is new costs what it takes alone", async () => {
  const plan = influencePlan();
  const longer: Plan = { ...plan, removals: [1, 2, 3, 4], rankings: plan.rankings.slice(0, 1) };
  const cost = await planStudy(kit, longer, { folder: at("known") });
  const [long] = rowsOf(cost, "evaluation");
  const missing = (long?.steps ?? 0) - (long?.known ?? 0);
  expect(missing).toBeGreaterThan(0);
  expect(missing).toBe(long?.subnetworks);
  expect(long?.known).toBeGreaterThan(0);
});

test("rankings that are not made yet are guessed, and counted as their searches and estimates count", async () => {
  const { timings } = await runPlan(
    kit,
    { ...manyPlan(), evaluations: manyPlan().evaluations.slice(0, 1) },
    {
      folder: at("many"),
    },
  );
  expect(timings.planned).toBeNull();
  const cost = await planStudy(kit, manyPlan());
  const record = JSON.parse(readFileSync(at("many/record.json"), "utf8")) as StudyRecord;
  const looked = new Map(record.rankings.map(({ ranking, evaluations }) => [ranking, evaluations]));
  const told = new Map(rowsOf(cost, "ranking").map((row) => [row.what, row]));
  expect(told.get("leave-one-out")?.subnetworks).toBe(looked.get("leave-one-out"));
  expect(told.get("horizon 2")?.subnetworks).toBeLessThanOrEqual(looked.get("horizon 2") ?? 0);
  expect(told.get("cosine")).toMatchObject({ exact: true, subnetworks: 0, seconds: 0 });
  expect(told.get("tail")?.exact).toBe(true);
  for (const name of ["taylor", "leave-one-out", "horizon 2", "greedy", "iterative"]) {
    expect(told.get(name)?.exact, name).toBe(false);
    expect(told.get(name)?.seconds, name).toBeGreaterThan(0);
  }
  expect(cost.subnetworks.most).toBeGreaterThanOrEqual(record.subnetworks.length);
  expect(cost.subnetworks.most).toBeGreaterThanOrEqual(cost.subnetworks.expected);

  const kinds = new Set(cost.rows.map(({ kind }) => kind));
  expect([...kinds]).toEqual([
    "costs",
    "influence",
    "ranking",
    "evaluation",
    "repair",
    "repaired evaluation",
    "text",
  ]);
  for (const { what, note, seconds } of cost.rows) {
    expect(seconds === null, what).toBe(what === "harness");
    if (seconds === null) expect(note).toContain("lm-evaluation-harness");
  }
  expect(cost.untold).toHaveLength(1);
  expect(rowsOf(cost, "repair").map(({ what }) => what)).toEqual(["emulated-update", "healed"]);
  expect(cost.seconds).toBeLessThanOrEqual(cost.high);
  expect(cost.low).toBeLessThanOrEqual(cost.seconds);
});

test("a plan with faults is refused with all of them", async () => {
  const wrong = {
    ...influencePlan(),
    removals: [7],
    rankings: [{ by: "influence", metric: "cosinus" }, { by: "leave-one-out" }],
  } as unknown as Plan;
  const error = await planStudy(kit, wrong, { folder: at("never") }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(String(error)).toContain("cosine");
  expect(String(error)).toContain("7 units");
});
