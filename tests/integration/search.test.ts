import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { item } from "../../src/arrays.ts";
import {
  Depthkit,
  type Model,
  type Progress,
  recipeNames,
  type StartRecipe,
  type TextParts,
  type UnitName,
} from "../../src/index.ts";
import { randomStream } from "../../src/shapley/random.ts";
import { LIVELY, tinyModel } from "./tiny-model.ts";

const words =
  "stone river light house garden winter music letter market bridge forest window paper silver".split(" ");
const random = randomStream(5, "words");
const word = () => words[Math.floor(random.uniform() * words.length)] ?? "";
const texts = {
  texts: Array.from({ length: 120 }, (_, index) => {
    const sentence = Array.from({ length: 12 }, word).join(" ");
    return `Number ${index * 37} says that the ${sentence}.`;
  }),
};

let kit: Depthkit;
let model: Model;
let parts: TextParts;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-search-"));
  kit = await Depthkit.start();
  model = await kit.loadModel(await tinyModel(folder, LIVELY, { blocks: 30 }), { device: "cpu" });
  parts = await model.splitText(texts, { fit: 8, choose: [1, 3], report: 2, length: 32 });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The largest part that decides, alone. */
const last = () => parts.choose.slice(-1);
const middle = Array.from({ length: 8 }, (_, offset): UnitName => `block.${10 + offset}`);

describe("a search of the model", () => {
  test("greedy is what evaluating every set of each round gives, and a second run evaluates nothing", async () => {
    const options = { budget: 2, candidates: middle, choose: last(), report: parts.report, journal: folder };
    const found = await model.search(options);
    const corpus = parts.choose[1];
    if (corpus === undefined) throw new Error("there are two parts to choose on");
    let removed: UnitName[] = [];
    for (let round = 0; round < 2; round++) {
      const sets = middle.filter((unit) => !removed.includes(unit)).map((unit) => [...removed, unit]);
      const { scores } = await model.evaluateSubnetworks(corpus, sets).result;
      const losses = scores.map(({ values }) => values.loss ?? Number.NaN);
      removed = sets[losses.indexOf(Math.min(...losses))] ?? [];
    }
    const whole = await model.evaluateSubnetworks(corpus, [[]]).result;
    expect(found.removed).toEqual([...removed].sort());
    expect(found.subnetwork.removed).toEqual(found.removed);
    const [chosen, reported] = found.parts;
    expect(chosen?.removed).toBeCloseTo(-found.value, 6);
    expect(chosen?.whole).toBeCloseTo(whole.scores[0]?.values.loss ?? Number.NaN, 6);
    expect(chosen?.whole).not.toBeCloseTo(chosen?.removed ?? Number.NaN, 2);
    expect(reported?.part).toBe("report");
    expect(reported?.repaired).toBeNull();
    expect(found.blockEvaluations).toBeGreaterThan(0);
    const again = await model.search(options);
    expect(again.blockEvaluations).toBe(0);
    expect([again.removed, again.value, again.parts]).toEqual([found.removed, found.value, found.parts]);
  });

  test("on growing text half the sets of a round go on, and evaluations count what they cost", async () => {
    const found = await model.search({
      budget: 1,
      candidates: middle,
      choose: parts.choose,
      journal: folder,
    });
    expect(found.evaluations).toBeCloseTo(8 / 3 + 4, 10);
    expect(found.trace[0]?.tried).toHaveLength(4);
  });

  test("a share of the parameters is met, and not by more than needed", async () => {
    const budget = { cost: "parameters", share: 0.005 };
    const players = ["attention", "feed-forward"] as const;
    const candidates = middle.flatMap((unit): UnitName[] => {
      const block = unit.split(".")[1];
      return [`attention.${Number(block)}`, `feed-forward.${Number(block)}`];
    });
    const strategy = { name: "random" } as const;
    const found = await model.search({
      strategy,
      budget,
      players,
      candidates,
      protect: ["attention.10"],
      choose: last(),
    });
    const { units, model: whole } = await model.unitCosts();
    const costs = found.removed.map((unit) => units[unit]?.parameters ?? Number.NaN);
    const sum = costs.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThanOrEqual(0.005 * whole.parameters);
    expect(sum - Math.min(...costs)).toBeLessThan(0.005 * whole.parameters);
    expect(found.removed).not.toContain("attention.10");
  });

  test("under repair sets are scored with repairs in place, and the winner is fitted to itself", async () => {
    const candidates: UnitName[] = ["block.11", "block.12", "block.13", "block.16"];
    const repair = { method: "low-rank", rank: 8 } as const;
    const options = { budget: 2, candidates, fit: parts.fit, choose: last(), report: parts.report, repair };
    const found = await model.search(options);
    const [chosen] = found.parts;
    expect(found.subnetwork.repairs.length).toBeGreaterThan(0);
    expect(chosen?.repaired).not.toBe(chosen?.removed);
    expect(found.repair?.tokens).toBe(8 * 32);
    expect(found.notes.join()).toContain("fitted to each gap by itself");
    // Of units that are no neighbours, the shared repairs with the dense reference are the set's own.
    if (parts.fit === undefined) throw new Error("there is a part to fit to");
    await using gaps = await model.repairGaps(parts.fit, "block", { ...repair, runs: 2 });
    const [on] = last();
    if (on === undefined) throw new Error("there is a part to choose on");
    await using game = await model.game(on, { players: candidates, repair: gaps });
    const { Coalition } = await import("../../src/game/coalition.ts");
    for (const removed of [
      ["block.11", "block.16"],
      ["block.12", "block.13"],
    ] as const) {
      const places = removed.map((unit) => candidates.indexOf(unit));
      const [value = Number.NaN] = await game.evaluate([Coalition.without(4, places)]);
      await using own = await model.without(removed).repair(parts.fit, repair);
      const { scores } = await model.evaluateSubnetworks(on, [own]).result;
      expect(-value).toBeCloseTo(scores[0]?.values.loss ?? Number.NaN, 5);
    }
  });

  test.each(recipeNames.filter((name) => name !== "tale"))("the recipe %s chooses", async (recipe) => {
    const sublayers = recipe === "blockpruner" || recipe === "evopress";
    const found = await model.search({
      recipe,
      budget: 1,
      candidates: sublayers
        ? ["attention.12", "attention.14", "feed-forward.12", "feed-forward.15"]
        : undefined,
      evaluations: recipe === "evopress" || recipe === "policy-gradient" ? 6 : undefined,
      fit: parts.fit,
      choose: last(),
      journal: folder,
    });
    expect(found.removed).toHaveLength(recipe === "evopress" ? 2 : 1);
    expect(found.recipe).toBe(recipe);
    if (recipe === "tail") expect(found.removed).toEqual(["block.28"]);
    if (recipe === "shortgpt" && parts.fit !== undefined) {
      expect(found.removed).toEqual((await model.influence(parts.fit)).lowest(1));
    }
    if (recipe === "taylor+" && parts.fit !== undefined) {
      const order = (await model.influence(parts.fit, { metric: "taylor" })).lowest(30);
      const inside = model.units("block").slice(4, 28);
      expect(found.removed).toEqual([order.find((unit) => inside.includes(unit))]);
    }
    if (recipe === "llm-streamline" && parts.fit !== undefined) {
      expect(found.removed).toEqual((await model.influence(parts.fit)).lowest(1));
    }
    if (recipe === "deeper-layers" && parts.fit !== undefined) {
      expect(found.removed).toEqual((await model.influence(parts.fit)).span(1).units);
    }
  });

  test("TALE chooses by the accuracy on questions", async () => {
    const rows = Array.from({ length: 6 }, (_, index) => ({
      question: `What is ${index} + 1?`,
      choices: [String(index + 1), String(index + 3)],
      answer: 0,
    }));
    const format = { prompt: "{question}", choices: "choices", answer: "answer" };
    await using task = await model.loadTask({ rows }, { format });
    const found = await model.search({
      recipe: "tale",
      budget: 1,
      candidates: middle,
      choose: task,
      report: parts.report,
    });
    expect(found.valueName).toBe("accuracy");
    expect(found.parts.map(({ measure }) => measure)).toEqual(["accuracy", "loss"]);
  });
});

describe("where a search starts", () => {
  const surrogate = () =>
    ({ strategy: "surrogate", evaluations: 8, budget: 3, fit: parts.fit, choose: last() }) as const;
  const chosenBy = async (recipe: StartRecipe) =>
    (await model.search({ recipe, budget: 3, fit: parts.fit, choose: last(), journal: folder })).removed;

  test("is a span and single blocks by default, which are candidates beside those of least cosine", async () => {
    const [span, single] = [await chosenBy("llm-streamline"), await chosenBy("shortgpt")];
    let passes = 0;
    const onProgress = ({ phase, done, total }: Progress) => {
      if (phase === "influence" && done === total) passes++;
    };
    const found = await model.search({ ...surrogate(), candidates: 3, onProgress });
    // Candidates and the span are of one pass over the text.
    expect(passes).toBe(1);
    const sets = Object.values(found.archive).flatMap((of) => of.map(({ removed }) => removed));
    expect(sets).toContainEqual(span);
    expect(sets).toContainEqual(single);
    expect(new Set(sets.flat())).toEqual(new Set([...span, ...single]));
    expect(found.notes.join()).toContain("started from what llm-streamline and shortgpt choose");
    const losses = await model.evaluateSubnetworks(item(last(), 0), [span, single]).result;
    const least = Math.min(...losses.scores.map(({ values }) => values.loss ?? Number.NaN));
    expect(-found.value).toBeLessThanOrEqual(least + 1e-6);
  });

  test("adds to a number of candidates for greedy as well, and to no list of them", async () => {
    const [span, single] = [await chosenBy("llm-streamline"), await chosenBy("shortgpt")];
    const options = {
      strategy: "greedy",
      budget: 3,
      fit: parts.fit,
      choose: last(),
      journal: folder,
    } as const;
    const found = await model.search({ ...options, candidates: 3 });
    const tried = found.trace.flatMap((step) => step.tried.flat());
    expect(new Set(tried)).toEqual(new Set([...span, ...single]));
    expect(found.notes.join()).not.toContain("started from");
    const listed = await model.search({ ...options, candidates: ["block.3", "block.9", "block.20"] });
    expect(listed.removed).toEqual(["block.3", "block.9", "block.20"]);
  });

  test("is what the recipes named choose, or nothing", async () => {
    const tail = await chosenBy("tail");
    const found = await model.search({ ...surrogate(), start: ["tail"], protect: ["block.28"] });
    expect(found.untried).not.toContain("block.27");
    expect(found.removed).not.toContain("block.28");
    const none = await model.search({ ...surrogate(), start: [], candidates: 4 });
    expect(none.notes.join()).not.toContain("started from");
    expect(new Set(Object.values(none.archive).flatMap((of) => of.flatMap((one) => one.removed))).size).toBe(
      4,
    );
    expect(tail).toEqual(["block.26", "block.27", "block.28"]);
  });

  test("is refused where nothing starts from it, and where recipes choose among others", async () => {
    const search = surrogate();
    await expect(model.search({ ...search, strategy: "greedy", start: ["tail"] })).rejects.toThrow(
      '"greedy" makes no use of `start`',
    );
    await expect(model.search({ ...search, players: "attention", start: ["tail"] })).rejects.toThrow(
      "recipes, which choose among all blocks",
    );
    await expect(model.search({ ...search, start: ["sleb" as "tail"] })).rejects.toThrow("start");
  });
});

describe("gates that are learned", () => {
  const gates = { name: "learned-gates", steps: 4, batchSize: 1 } as const;
  const options = () => ({ budget: 2, candidates: middle, fit: parts.fit, choose: last(), journal: folder });

  test("choose as many as asked for, and the same again by the same seed", async () => {
    const phases = new Set<string>();
    const found = await model.search({
      ...options(),
      strategy: gates,
      onProgress: ({ phase }) => phases.add(phase),
    });
    expect(found.strategy).toBe("learned-gates");
    expect(found.removed).toHaveLength(2);
    expect(found.removed.every((unit) => middle.includes(unit))).toBe(true);
    expect([...phases]).toContain("learning gates");
    const [corpus] = last();
    if (corpus === undefined) throw new Error("there is a part to choose on");
    const { scores } = await model.evaluateSubnetworks(corpus, [found.removed]).result;
    expect(-found.value).toBeCloseTo(scores[0]?.values.loss ?? Number.NaN, 5);
    expect((await model.search({ ...options(), strategy: gates })).removed).toEqual(found.removed);
  });

  test("each kind keeps its count, and LoRA that learned along is the winner's repair", async () => {
    const lora = { rank: 2, rate: 1e-3 };
    const found = await model.search({
      ...options(),
      strategy: { ...gates, lora },
      players: ["attention", "feed-forward"],
      candidates: ["attention.12", "attention.14", "feed-forward.12", "feed-forward.15"],
      budget: { attention: 1, "feed-forward": 1 },
      report: parts.report,
    });
    expect(found.removed.map((unit) => unit.split(".")[0]).sort()).toEqual(["attention", "feed-forward"]);
    expect(found.subnetwork.repairs.map(({ method }) => method)).toEqual(["lora"]);
    expect(found.repair?.weightsUnchanged).toBe(true);
    for (const { repaired, removed } of found.parts) expect(repaired).not.toBe(removed);
  });

  test("one budget over both kinds is weighed by cost, and the set is the one LoRA learned for", async () => {
    const found = await model.search({
      ...options(),
      strategy: { ...gates, lora: { rank: 2, orthogonality: 1 } },
      players: ["attention", "feed-forward"],
      candidates: ["attention.12", "attention.14", "feed-forward.12", "feed-forward.15"],
      budget: { cost: "parameters", share: 0.005 },
    });
    const { units, model: whole } = await model.unitCosts();
    const costs = found.removed.map((unit) => units[unit]?.parameters ?? Number.NaN);
    const sum = costs.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThanOrEqual(0.005 * whole.parameters);
    expect(sum - Math.min(...costs)).toBeLessThan(0.005 * whole.parameters);
    expect(found.subnetwork.repairs.map(({ removed }) => removed)).toEqual([found.removed]);
    expect(found.repair?.notes.join()).toContain("departs from right angles by");
  });

  test("a cancel ends the learning", async () => {
    const stop = new AbortController();
    const search = model.search({
      ...options(),
      strategy: { ...gates, steps: 10_000 },
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        if (phase === "learning gates" && done > 0) stop.abort();
      },
    });
    await expect(search).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("what a search refuses", () => {
  test("parts that share text, with the share and a stretch of it", async () => {
    const search = model.search({ budget: 1, fit: parts.fit, choose: last(), report: parts.fit });
    await expect(search).rejects.toThrow(/stretches of 16 tokens of `report` stand in `fit` too/);
    const numbers = parts.fit?.info.numbers?.slice(0, 2);
    expect(numbers).toHaveLength(2);
    await using shifted = await model.loadCorpus(texts, { numbers, length: parts.fit?.info.length });
    const overlapping = model.search({ budget: 1, fit: parts.fit, choose: shifted });
    await expect(overlapping).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test.each([
    [{ budget: 1, recipe: "sleb", strategy: "greedy" }, 'the recipe "sleb" settles `strategy`'],
    [{ budget: 1, candidates: 4 }, "`candidates` needs text to fit to"],
    [{ budget: 1, recipe: "shortgpt" }, "a score by cosine needs text to fit to; give `fit`"],
    [{ budget: 1, recipe: "lorp" }, '"clusters" needs text to fit to'],
    [{ budget: 1, strategy: "clusters", players: "attention" }, '"clusters" is over blocks'],
    [{ budget: { cost: "watts", share: 0.1 } }, 'the cost "watts"; costs are parameters'],
    [{ budget: 1, players: ["block.3", "attention.3"] }, "attention.3 and its whole block"],
    [{ budget: 1, strategy: "learned-gates" }, '"learned-gates" needs text to fit to'],
    [{ budget: 1, strategy: { name: "learned-gates", steps: 0 } }, "steps: "],
    [{ budget: 1, strategy: { name: "learned-gates", step: 2 } }, 'no option "step" (did you mean "steps"?)'],
    [{ budget: 1, strategy: "learned-gates", scores: { metric: "l1" } }, "makes no use of `scores`"],
    [{ budget: 1, scores: { metric: "l1" } }, '"greedy" makes no use of `scores`'],
    [{ budget: 1, scores: { metric: "sine" } }, "scores.metric: expected one of cosine"],
    [{ budget: 1, scores: { metric: "cosine", off: "block" } }, 'no option "off" (did you mean "of"?)'],
  ])("%j", async (options, words) => {
    const search = model.search({ ...options, choose: last() } as never);
    await expect(search).rejects.toThrow(words);
  });

  test("several costs at once for gates, which learn under one", async () => {
    const budget = [
      { cost: "parameters", share: 0.1 },
      { cost: "bytes", share: 0.1 },
    ];
    const search = model.search({ budget, strategy: "learned-gates", fit: parts.fit, choose: last() });
    await expect(search).rejects.toThrow("block.0 counts for several; ask for one cost");
  });

  test("LoRA along with gates beside another repair", async () => {
    const strategy = { name: "learned-gates", lora: {} } as const;
    const search = model.search({
      budget: 1,
      strategy,
      repair: { method: "patch" },
      fit: parts.fit,
      choose: last(),
    });
    await expect(search).rejects.toThrow("leave out `repair` or `lora`");
  });

  test("text that is too short for all parts together", async () => {
    const tooMuch = model.splitText(texts, { fit: 9000, choose: [1, 3], report: 2, length: 32 });
    // What all parts need together, not what the first of them does.
    await expect(tooMuch).rejects.toMatchObject({
      code: "NOT_ENOUGH_TEXT",
      details: { need: (9000 + 3 + 2) * 32 },
    });
  });

  test("text that does not grow", async () => {
    await expect(model.splitText(texts, { choose: [4, 4], length: 32 })).rejects.toThrow("text grows");
  });
});

describe("draws of text", () => {
  test("say how often each unit goes, and compare ways to choose on the same draws", async () => {
    const found = await model.searchDraws({
      texts: { made: texts },
      split: { fit: 2, choose: 2, report: 2, length: 32 },
      draws: 3,
      methods: {
        greedy: { budget: 1, candidates: middle, journal: folder },
        tail: { recipe: "tail", budget: 1, journal: folder },
      },
    });
    const { greedy, tail } = found.methods;
    expect(tail?.certainty.overlap.mean).toBe(1);
    expect(tail?.certainty.players[0]).toMatchObject({ player: "block.28", times: 3 });
    expect(greedy?.results.map(({ text, draw }) => `${text} ${draw}`)).toEqual([
      "made 0",
      "made 1",
      "made 2",
    ]);
    const digests = greedy?.results.map(({ search }) => search.parts[0]?.data);
    expect(new Set(digests?.map((data) => data && "tokensDigest" in data && data.tokensDigest)).size).toBe(3);
    const [comparison] = found.comparisons;
    const mean = (name: "greedy" | "tail") =>
      (found.methods[name]?.results ?? []).reduce((sum, { reported }) => sum + reported, 0) / 3;
    expect(comparison?.difference).toBeCloseTo(mean("tail") - mean("greedy"), 8);
    expect(comparison?.sentence).toContain("calibration noise");
  });

  test("measure influence once per draw, whatever the number of methods that go by it", async () => {
    let measured = 0;
    await model.searchDraws({
      texts: { made: texts },
      split: { fit: 2, choose: 1, report: 1, length: 32 },
      draws: 2,
      methods: {
        lowest: { recipe: "shortgpt", budget: 1 },
        knapsack: { strategy: "knapsack", scores: { metric: "l2" }, budget: 1 },
        candidates: { strategy: "tail", candidates: 3, budget: 1 },
      },
      onProgress: ({ phase, done, total }) => {
        if (phase === "influence" && done === total) measured++;
      },
    });
    expect(measured).toBe(2);
  });
});
