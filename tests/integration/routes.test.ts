/** Routes of the bundled model: two domains that are nothing alike, one domain, and what is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { item } from "../../src/arrays.ts";
import {
  Depthkit,
  DepthkitError,
  type Model,
  type Routes,
  type RoutesOptions,
  type Subnetwork,
  type UnitName,
} from "../../src/index.ts";
import { evenly } from "../../src/selection/spread.ts";

const words = "stone river light house garden winter music letter market bridge forest window".split(" ");
const word = (n: number, k: number) => item(words, (Math.imul(8 * n + k, 2654435761) >>> 16) % words.length);
const sentence = (n: number) =>
  `In the ${word(n, 0)} of the ${word(n, 1)} a ${word(n, 2)} and a ${word(n, 3)} met the ${word(n, 4)} ` +
  `that nobody had seen for ${n} years.`;
const sum = (n: number) => `assert add(${n * 13}, ${n * 7 + 1}) == ${n * 20 + 1}  # case ${n}`;
const of = (line: (n: number) => string) => ({ texts: Array.from({ length: 300 }, (_, n) => line(n)) });

const split = { choose: 2, train: 10, report: 6, length: 24 };
const candidates: UnitName[] = ["block.4", "block.10", "block.16", "block.22", "block.27"];
const common = { split, candidates, prompt: { tokens: 8 }, budget: 1 };
const options: RoutesOptions = { ...common, texts: { prose: of(sentence), code: of(sum) } };

let kit: Depthkit;
let model: Model;
let routes: Routes<Subnetwork>;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-routes-"));
  kit = await Depthkit.start();
  model = await kit.loadModel("smollm2-135m", { device: "cpu" });
  routes = await model.routes({ ...options, masks: { other: ["block.13"] } });
});
afterAll(async () => {
  await kit.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the parts of a domain's text are, cut anew: what is reported on lies between what is learned on. */
async function part(name: "choose" | "train" | "report", line: (n: number) => string) {
  const { choose, train, report, length } = split;
  await using parts = await model.splitText(of(line), { choose, report: train + report, length });
  const behind = parts.report?.info.numbers ?? [];
  const learned = evenly(behind, train);
  const numbers = {
    choose: parts.choose[0]?.info.numbers,
    train: learned,
    report: behind.filter((one) => !learned.includes(one)),
  }[name];
  expect(numbers).toHaveLength(split[name]);
  return model.loadCorpus(of(line), { length, numbers });
}

describe("routes of two domains", () => {
  test("each domain's mask is what a search on its text alone finds", async () => {
    for (const [at, line] of [sentence, sum].entries()) {
      await using text = await part("choose", line);
      const { removed } = await model.search({ budget: 1, candidates, choose: text });
      expect(item(routes.masks, at).removed).toEqual(removed);
    }
    expect(routes.masks.map(({ name }) => name)).toEqual(["prose", "code", "other"]);
    expect(item(routes.masks, 2).removed).toEqual(["block.13"]);
    const gone = new Set(routes.masks.flatMap(({ removed }) => removed));
    expect(routes.permanent).toEqual(model.units("block").filter((unit) => !gone.has(unit)));
  });

  test("the matrix is the loss behind the prompt, of every domain under every mask", async () => {
    for (const [at, line] of [sentence, sum].entries()) {
      await using corpus = await part("report", line);
      const subnetworks = [...routes.masks.map(({ subnetwork }) => subnetwork), model];
      const scoredPositions = { last: split.length - 8 };
      const { scores, counts } = await model.evaluateSubnetworks(corpus, subnetworks, { scoredPositions })
        .result;
      expect(counts).toEqual([split.report * (split.length - 8)]);
      const losses = scores.map(({ values }) => values.loss ?? Number.NaN);
      const row = [...item(routes.report.matrix, at), item(routes.report.whole, at)];
      for (const [mask, { mean }] of row.entries()) expect(mean).toBeCloseTo(item(losses, mask), 5);
    }
  });

  test("the router tells the domains apart, and no way is better than the oracle", async () => {
    const { worth, routed, sequences } = routes.report;
    expect(sequences).toBe(split.report);
    for (const row of routed) expect(row.reduce((a, b) => a + b)).toBe(split.report);
    for (const way of [worth.single, worth.router, worth.byDomain]) {
      expect(way?.value).toBeGreaterThanOrEqual(worth.oracle.value);
    }
    const found = await routes.route([sentence(500), sum(500)]);
    expect(item(found, 0).expected.join()).not.toBe(item(found, 1).expected.join());
    expect(routes.router.strength).not.toBeNull();
  });

  test("on a corpus it takes the routes of the report, whatever stands behind the prompt", async () => {
    await using corpus = await part("report", sum);
    const found = await routes.evaluate(corpus);
    const counts = routes.masks.map(({ name }) => found.routes.filter((one) => one === name).length);
    expect(counts).toEqual(routes.report.routed[1]);
    expect(found.worth.byDomain).toBeNull();
    const single = routes.masks.findIndex(({ name }) => name === routes.single);
    expect(found.worth.single.value).toBeCloseTo(item(item(routes.report.matrix, 1), single).mean, 6);
  });

  test("questions are routed by their prompts", async () => {
    const rows = Array.from({ length: 4 }, (_, n) => ({
      question: sum(n),
      choices: ["yes", "no"],
      answer: 0,
    }));
    const format = { prompt: "{question}", choices: "choices", answer: "answer" };
    await using task = await model.loadTask({ rows }, { format });
    const found = await routes.evaluate(task, { measure: "choice-loss" });
    expect(found.routes).toEqual(
      (await routes.route(rows.map(({ question }) => question))).map(({ mask }) => mask),
    );
    const value = found.worth.router.value;
    const apart = await model.evaluateSubnetworks(
      task,
      routes.masks.map(({ subnetwork }) => subnetwork),
      { measures: ["choice-loss"], bySequence: true },
    ).result;
    const own = found.routes.map((route, at) => {
      const { bySequence } = item(
        apart.scores,
        routes.masks.findIndex(({ name }) => name === route),
      );
      return bySequence?.["choice-loss"]?.[at] ?? Number.NaN;
    });
    expect(value).toBeCloseTo(own.reduce((a, b) => a + b) / own.length, 10);
  });

  test("a prompt is continued as its mask continues it, and text is told of by its own number", async () => {
    const prompts = [sum(3), sentence(4), sum(5), sentence(6)];
    const told = prompts.map(() => "");
    const { generations } = await routes.generate(prompts, {
      maxNewTokens: 6,
      onText: ({ prompt, text }) => {
        told[prompt] += text;
      },
    });
    const expected = await routes.route(prompts);
    for (const [at, { mask, text, prompt }] of generations.entries()) {
      expect([prompt, mask]).toEqual([prompts[at], item(expected, at).mask]);
      const { subnetwork } = item(
        routes.masks.filter(({ name }) => name === mask),
        0,
      );
      const alone = await subnetwork.generate(item(prompts, at), { maxNewTokens: 6 });
      expect(text).toBe(item(alone.generations, 0).text);
      expect(told[at]).toBe(text);
    }
  });

  test("saved and loaded they are the same", async () => {
    const saved = join(folder, "saved");
    await routes.save(saved);
    const loaded = await model.loadRoutes(saved);
    expect(JSON.stringify(loaded.report)).toBe(JSON.stringify(routes.report));
    expect(loaded.masks.map(({ removed }) => removed)).toEqual(routes.masks.map(({ removed }) => removed));
    expect([loaded.single, loaded.permanent, loaded.heldOut]).toEqual([
      routes.single,
      routes.permanent,
      routes.heldOut,
    ]);
    const prompts = [sum(40), sentence(41), ""];
    expect(await loaded.route(prompts)).toEqual(await routes.route(prompts));
    await expect(routes.save(saved)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  });
});

test("one domain is the static mask: there is nothing to choose, and nothing is gained", async () => {
  await using one = await model.routes({ ...options, texts: { code: of(sum) } });
  expect(one.masks.map(({ removed }) => removed)).toEqual([item(routes.masks, 1).removed]);
  expect(one.router.strength).toBeNull();
  const { worth, matrix } = one.report;
  const value = item(item(matrix, 0), 0).mean;
  expect(value).toBeCloseTo(item(item(routes.report.matrix, 1), 1).mean, 6);
  for (const way of [worth.single, worth.router, worth.byDomain, worth.oracle]) {
    expect(way).toMatchObject({ gain: 0, gains: false });
    expect(way?.value).toBeCloseTo(value, 12);
  }
  expect(worth.sentence).toContain("leave routing out");
});

test("masks have their own repairs, which are saved with them", async () => {
  const repaired = await model.routes({
    ...options,
    split: { ...split, fit: 3 },
    repair: { method: "low-rank", rank: 4 },
  });
  expect(repaired.masks.every(({ subnetwork }) => subnetwork.repairs.length > 0)).toBe(true);
  const saved = join(folder, "repaired");
  await repaired.save(saved);
  await using corpus = await part("train", sentence);
  const before = await repaired.evaluate(corpus);
  await repaired.close();
  const loaded = await model.loadRoutes(saved);
  const after = await loaded.evaluate(corpus);
  expect(after.routes).toEqual(before.routes);
  expect(after.worth.oracle.value).toBeCloseTo(before.worth.oracle.value, 6);
});

/** As many lines as the parts take: a stretch of one domain stands somewhere in the other's. */
const short = ({ texts }: { texts: string[] }) => ({ texts: texts.slice(0, 50) });
const twice = { one: short(of(sum)), two: short(of((n) => sum(n + 2))) };
const refused: readonly (readonly [string, Partial<RoutesOptions>, RegExp])[] = [
  ["no text", { texts: {} }, /name at least one domain/],
  ["a name that is no folder's", { texts: { "../x": of(sum) } }, /"\.\.\/x" names a domain/],
  ["two of a name", { masks: { Code: ["block.3"] } }, /two masks would be called Code/],
  ["a prompt that is all", { prompt: { tokens: 24 } }, /let split\.length be more than prompt\.tokens/],
  ["one sequence to report on", { split: { ...split, report: 1 } }, /split\.report: expected a whole number/],
  ["text of another kind of packing", { split: { ...split, packing: "none" } as never }, /"packing"/],
  ["text that another domain learns on", { split: { ...split, length: 48 }, texts: twice }, / of two /],
  ["reading behind what a mask removes", { prompt: { tokens: 8, boundary: 28 } }, /masks differ from block/],
];
test.each(refused)("%s is refused", async (_, changed, message) => {
  const made = model.routes({ ...options, ...changed });
  const error = await made.then(
    () => new Error("they were made"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DepthkitError)) throw error;
  expect(error.code).toBe("INVALID_ARGUMENT");
  expect(error.message).toMatch(message);
});

test("routes of other weights, damaged ones and corpora that do not fit are refused", async () => {
  const saved = join(folder, "other");
  await routes.save(saved);
  const file = join(saved, "routes.json");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/"weightsDigest": "[0-9a-f]{4}/, '"weightsDigest": "0000'));
  await expect(model.loadRoutes(saved)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const content = JSON.parse(text);
  for (const change of [
    { masks: content.masks.slice(1) },
    { router: { ...content.router, means: content.router.means.slice(1) } },
    { version: 2 },
  ]) {
    writeFileSync(file, JSON.stringify({ ...content, ...change }));
    await expect(model.loadRoutes(saved)).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  }
  await expect(model.loadRoutes(join(folder, "none"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  await using short = await model.loadCorpus(of(sum), { length: 8, sequences: 2 });
  await expect(routes.evaluate(short)).rejects.toThrow("nothing left");
  await using uneven = await model.loadCorpus(
    of((n) => `${n} `.repeat(n + 1)),
    { packing: "none", sequences: 8 },
  );
  await expect(routes.evaluate(uneven)).rejects.toThrow("all are of one length");
});
