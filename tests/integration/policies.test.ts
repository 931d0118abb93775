/** Policies by the SDK and the command line, on the bundled model and the real worker. */
import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as sdk from "../../src/index.ts";
import { temporaryFolder } from "../unit/platform/temporary-folder.ts";
import { cli } from "./cli.ts";

let kit: sdk.Depthkit;
let model: sdk.Model;
let texts: string[];

const chunks = { chunk: 64, maxChunks: 4, batchSize: 4 };
const skipping = (threshold: number): sdk.PolicyOptions => ({
  kind: "feed-forward-skipping",
  start: 3,
  end: 28,
  threshold,
  run: 1,
});

const depthkit = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [...cli, ...args], { maxBuffer: 2 ** 26 });

beforeAll(async () => {
  await sdk.setup();
  texts = await sdk.pythonReference();
  kit = await sdk.Depthkit.start();
  model = await kit.loadModel("smollm2-135m");
});
afterAll(() => kit?.close());

test("a window and a policy from the calibration curve, beside its controls", async () => {
  const corpus = await model.loadCorpus({ texts }, { sequences: 4, length: 128, skip: 100 });
  const influence = await model.influence(corpus, { units: "feed-forward", metric: "cosine" });
  const { start, end } = sdk.proposeSkipWindow(influence);
  expect(start).toBeGreaterThan(0);
  expect(end).toBeLessThan(30);
  const policed = model.withPolicy({ ...skipping(0.975), start, end } as sdk.PolicyOptions);
  const order = influence.lowest(30);
  const found = await policed.compare({ texts }, { ...chunks, seeds: [0, 1, 2], order });
  const { whole, policy, fixed, random } = found;
  const share = policy.perplexity.skips?.share ?? 0;
  expect(share).toBeGreaterThan(0.05);
  expect(fixed.perplexity.skips?.share).toBeCloseTo(share, 1);
  for (const one of random) expect(one.perplexity.skips?.share).toBeCloseTo(share, 1);
  expect(random.map(({ policy }) => policy)).toMatchObject([{ seed: 0 }, { seed: 1 }, { seed: 2 }]);
  expect(new Set(random.map(({ perplexity }) => perplexity.loss)).size).toBe(3);
  expect(whole.perplexity.skips).toBeNull();
  expect(whole.perplexity.loss).toBe((await model.perplexity({ texts }, chunks)).loss);
  expect(fixed.policy).toMatchObject({ kind: "fixed-skipping" });
  const difference = fixed.perplexity.loss - policy.perplexity.loss;
  expect(fixed.lossDifference?.difference).toBeCloseTo(difference, 9);
  expect(fixed.lossDifference?.standardError).toBeGreaterThan(0);
});

test("what a policy gave is never taken for the subnetwork's own", async () => {
  const journal = temporaryFolder();
  const asked = [{ kind: "perplexity", data: { texts }, ...chunks }] as const;
  const [plain] = await model.evaluate(asked, { journal });
  const [policed] = await model.withPolicy(skipping(0.97)).evaluate(asked, { journal });
  expect(policed.reused).toBe(0);
  expect(policed.scores.loss).toBeGreaterThan(plain.scores.loss);
  expect(readdirSync(journal)).toHaveLength(2);
  const [again] = await model.withPolicy(skipping(0.97)).evaluate(asked, { journal });
  expect(again.reused).toBe(4);
  expect(again.scores.loss).toBe(policed.scores.loss);
  expect(again.scores.skips).toMatchObject({ tokens: 0, share: null });
  const [other] = await model.withPolicy(skipping(0.98)).evaluate(asked, { journal });
  expect(other.reused).toBe(0);
});

test("above one it is the subnetwork, in every call", async () => {
  const base = model.without(["attention.12"]);
  const policed = base.withPolicy(skipping(1.5));
  expect((await policed.perplexity({ texts }, chunks)).loss).toBe(
    (await base.perplexity({ texts }, chunks)).loss,
  );
  const corpus = await model.loadCorpus({ texts }, { sequences: 2, length: 64 });
  const { values, counts } = await policed.measure(corpus, { measures: ["loss", "kl"] });
  const [scores] = (await model.evaluateSubnetworks(corpus, [base], { measures: ["loss", "kl"] }).result)
    .scores;
  expect(values.loss).toBeCloseTo(scores?.values.loss ?? Number.NaN, 6);
  expect(values.kl).toBeCloseTo(scores?.values.kl ?? Number.NaN, 6);
  expect(counts).toEqual({ loss: 126, kl: 128 });
  const [plain, written] = await Promise.all([
    base.generate("The capital of France is", { maxNewTokens: 6 }),
    policed.generate("The capital of France is", { maxNewTokens: 6 }),
  ]);
  expect(written.generations).toEqual(plain.generations);
  expect(plain.skips).toBeNull();
  expect(written.skips).toMatchObject({ share: 0 });
});

test("a policy that skips nothing has no controls, and other kinds have none", async () => {
  await expect(model.withPolicy(skipping(1.5)).compare({ texts }, chunks)).rejects.toThrow(
    /skipped nothing.*threshold/,
  );
  const prompts = model.withPolicy({ kind: "prompt-skipping", start: 20, end: 28 });
  await expect(prompts.compare({ texts }, chunks)).rejects.toThrow(/prompt-skipping has no controls/);
  await expect(prompts.perplexity({ texts }, chunks)).rejects.toThrow(/generate, solve or profile/);
  const { skips } = await prompts.generate("The capital of France is", { maxNewTokens: 3 });
  expect(skips?.byPosition[0]).toBeCloseTo(8 / 30, 9);
  expect(skips?.byPosition.at(-1)).toBe(0);
});

test("the command line follows a policy", async () => {
  const policy = JSON.stringify(skipping(0.97));
  const file = join(temporaryFolder(), "text.txt");
  writeFileSync(file, texts.join("\n").slice(0, 2000));
  const evaluated = await depthkit(
    "evaluate",
    ...["--model", "smollm2-135m", "--data", file, "--chunk", "64", "--max-chunks", "2"],
    ...["--policy", policy, "--json"],
  );
  const { results } = JSON.parse(evaluated.stdout);
  expect(results[0].policy).toMatchObject({ threshold: 0.97 });
  expect(results[0].perplexity.skips.share).toBeGreaterThan(0);
  const written = await depthkit(
    "generate",
    ...["--model", "smollm2-135m", "--prompt", "Once upon a time", "--max-new-tokens", "4"],
    ...["--policy", policy],
  );
  expect(written.stdout).toMatch(/skipped .*of all feed-forwards/);
  const broken = depthkit("generate", "--model", "x", "--prompt", "a", "--policy", "{");
  await expect(broken).rejects.toMatchObject({ stderr: expect.stringContaining("feed-forward-skipping") });
});
