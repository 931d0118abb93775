import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { spellOut } from "../../../../src/experiment/study/grids.ts";
import { settlePlan } from "../../../../src/experiment/study/settle.ts";

const plan = {
  model: "smollm2-135m",
  calibration: { data: "calibration.jsonl" },
  rankings: [
    { by: "influence", metric: { each: ["cosine", "l2"] }, units: { each: ["block", "attention"] } },
  ],
  removals: [1, 2],
  evaluations: [{ kind: "perplexity", data: "texts/test.txt" }],
};
const paths = (given: unknown) => settlePlan(given).faults.map(({ path }) => path);

test("a grid stands for every combination, the last option changing fastest", () => {
  expect(spellOut({ a: { each: [1, 2] }, b: [{ each: ["x", "y"] }, "z"] }).map(({ value }) => value)).toEqual(
    [
      { a: 1, b: ["x", "z"] },
      { a: 1, b: ["y", "z"] },
      { a: 2, b: ["x", "z"] },
      { a: 2, b: ["y", "z"] },
    ],
  );
  expect(spellOut({ each: [] })).toEqual([]);
  // What only looks like a grid is a value.
  expect(spellOut({ each: [1], other: 2 })).toHaveLength(1);
});

test("entries are named by what they say, and those of a named grid by what they took", () => {
  const names = (given: object) => settlePlan({ ...plan, ...given }).plan.rankings.map(({ name }) => name);
  expect(names({})).toEqual(["cosine", "cosine attention", "l2", "l2 attention"]);
  expect(names({ rankings: [{ by: "search", name: "mine", candidates: { each: [8, 12] } }] })).toEqual([
    "mine 8",
    "mine 12",
  ]);
  const { plan: settled, faults } = settlePlan({ ...plan, repairs: [{ method: "low-rank", rank: 8 }] });
  expect(faults).toEqual([]);
  expect(settled).toMatchObject({
    models: [{ name: "smollm2-135m", source: "smollm2-135m", device: "auto" }],
    calibrations: [{ name: "calibration", sequences: 32, choose: [2, 8] }],
    repairs: [{ name: "low-rank 8", steps: [{ method: "low-rank", constant: true }] }],
    evaluations: [{ name: "test", chunk: null }],
    draws: 1,
  });
});

test("an order is what its file says when the plan is read, and is refused where it is none", () => {
  const folder = mkdtempSync(join(tmpdir(), "depthkit-order-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "mine.json");
  const settled = (content: unknown) => {
    writeFileSync(file, JSON.stringify(content));
    return settlePlan({ ...plan, rankings: [{ by: "order", order: file }] });
  };
  const order = ["block.3", "block.1"];
  expect(settled(order).plan.rankings).toMatchObject([{ name: "mine", order }]);
  const scores = { "block.1": 0.2, "block.3": 0.1 };
  expect(settled({ name: "cosine", scores }).plan.rankings).toMatchObject([{ order: scores }]);
  for (const wrong of [["block.1", "block.1"], ["mlp.1"], ["block.1+block.2"], {}, 7]) {
    expect(settled(wrong).faults.map(({ path }) => path)).toEqual(["rankings.0.order"]);
  }
  expect(paths({ ...plan, rankings: [{ by: "order", order: ["block.1", "block.1"] }] })).toEqual([
    "rankings.0.order",
  ]);
  expect(paths({ ...plan, rankings: [{ by: "order", order: join(folder, "none.json") }] })).toEqual([
    "rankings.0.order",
  ]);
});

test("all faults are told, each once, and none of what is right", () => {
  expect(paths(plan)).toEqual([]);
  expect(paths(7)).toContain("");
  expect(paths({ ...plan, rankings: [], removals: undefined, draw: 2 }).sort()).toEqual([
    "",
    "rankings",
    "removals",
  ]);
  expect(
    paths({ ...plan, evaluations: [{ kind: "perplexity", data: "a", chunk: { each: [1, 512] } }] }),
  ).toEqual(["evaluations.0.chunk"]);
  const twice = [{ by: "influence" }, { by: "influence" }];
  expect(paths({ ...plan, rankings: twice })).toEqual(["rankings"]);
  const where = { rankings: ["cosin"], counts: [3], repairs: ["none"] };
  const strangers = settlePlan({ ...plan, texts: { prompts: ["x"], where } }).faults;
  expect(strangers.map(({ path }) => path)).toEqual(["texts.where.rankings", "texts.where.counts"]);
  expect(strangers[0]?.words).toContain('did you mean "cosine"');
  const shared = { method: "lora", training: { folder: "checkpoints" } };
  expect(paths({ ...plan, repairs: [shared] })).toEqual(["repairs.0.training.folder"]);
  const alone = settlePlan({ ...plan, repairs: [{ method: "lora", where }] }).faults;
  expect(alone.map(({ words }) => words)).toEqual([expect.stringContaining("Write { name, where, steps")]);
});

test("faults name entries as they were written, beside grids and entries with faults", () => {
  const chunk = { each: [64, 128] };
  const evaluations = [
    { kind: "perplexity", data: "a", chunks: 1 },
    { kind: "perplexity", name: "b", data: "b", chunk },
    { kind: "perplexity", data: "c", where: { rankings: ["cosin"] } },
  ];
  expect(paths({ ...plan, evaluations })).toEqual(["evaluations.0", "evaluations.2.where.rankings"]);
  const lora = { method: "lora", training: { folder: "checkpoints" } };
  const repairs = [
    { method: "low-rank", rank: { each: [1, 2] } },
    { name: "both", steps: [{ method: "low-rank" }, lora], where: { counts: [9] } },
  ];
  expect(paths({ ...plan, repairs }).sort()).toEqual([
    "repairs.1.steps.1.training.folder",
    "repairs.1.where.counts",
  ]);
});

test("a policy stands where it can be followed, names its evaluation, and is refused elsewhere", () => {
  const skipping = { kind: "feed-forward-skipping", start: 1, end: 3, threshold: 0.9, run: 1 };
  const prompt = { kind: "prompt-skipping", start: 1, end: 3 };
  const text = { kind: "perplexity", data: "texts/test.txt" };
  const of = (...evaluations: object[]) => settlePlan({ ...plan, evaluations });
  const good = of(
    { ...text, policy: skipping, controls: true },
    { kind: "probe", probe: "sums", policy: { each: [skipping, prompt] } },
    { kind: "profile", policy: skipping },
  );
  expect(good.faults).toEqual([]);
  expect(good.plan.evaluations).toMatchObject([
    { name: "test under feed-forward-skipping", policy: { warmUp: 25 }, controls: true },
    { name: "sums under feed-forward-skipping" },
    { name: "sums under prompt-skipping" },
    { name: "profile under feed-forward-skipping", modes: ["masked"] },
  ]);
  const wrong = of(
    { ...text, policy: prompt },
    { kind: "questions", data: "rows.jsonl", policy: prompt },
    { ...text, controls: true },
    { ...text, policy: { ...skipping, kind: "fixed-skipping" } },
    { kind: "profile", policy: skipping, modes: ["physical"] },
    { kind: "lm-eval", tasks: ["piqa"], policy: skipping },
  );
  expect(wrong.faults.map(({ path }) => path)).toEqual([
    "evaluations.0.policy.kind",
    "evaluations.1.policy.kind",
    "evaluations.2.controls",
    "evaluations.3.policy.blocks",
    "evaluations.3.policy",
    "evaluations.4.modes",
    "evaluations.5",
  ]);
});
