import { expect, test } from "vitest";
import { compareEvaluations } from "../../../src/evaluation/compare-evaluations.ts";
import type { EvaluationResult } from "../../../src/index.ts";

const text = (
  losses: readonly number[],
  tokens: readonly number[],
  changed: object = {},
): EvaluationResult => {
  const scored = tokens.reduce((sum, one) => sum + one, 0);
  const loss = losses.reduce((sum, one) => sum + one, 0) / scored;
  const perItem = losses.map((one, chunk) => ({ loss: one, tokens: tokens[chunk] ?? 0 }));
  const protocol = { data: { digest: "d" }, rows: "raw", separator: "", chunk: 9, stride: 9, bos: "auto" };
  const scores = { ...protocol, loss, perplexity: Math.exp(loss), tokensScored: scored, perItem, ...changed };
  return { kind: "perplexity", name: "wiki", items: losses.length, reused: 0, scores: scores as never };
};

const choices = (logLikelihoods: readonly number[][], answers: readonly number[]): EvaluationResult => {
  const perItem = logLikelihoods.map((of, item) => {
    const chosen = of.indexOf(Math.max(...of));
    return { logLikelihoods: of, chosen, chosenNormChars: 0, chosenNormBytes: 1, answer: answers[item] ?? 0 };
  });
  const right = perItem.filter(({ chosen, answer }) => chosen === answer).length / perItem.length;
  const rate = { micro: right };
  const scores = {
    acc: rate,
    accNormChars: rate,
    accNormBytes: rate,
    choiceLoss: 1,
    taskDigest: "t",
    perItem,
  };
  return { kind: "choices", name: "arc", items: perItem.length, reused: 0, scores: scores as never };
};

test("the difference of two losses has the jackknife's standard error over chunks", () => {
  const [before, after, tokens] = [
    [20, 31, 25, 40, 22],
    [23, 33, 29, 42, 27],
    [8, 9, 9, 9, 9],
  ];
  const [loss, perplexity] = compareEvaluations([text(before, tokens)], [text(after, tokens)]);
  const mean = (of: number[], out = -1) => {
    const kept = of.map((value, chunk) => (chunk === out ? 0 : value));
    const counted = tokens.map((value, chunk) => (chunk === out ? 0 : value));
    return kept.reduce((a, b) => a + b) / counted.reduce((a, b) => a + b);
  };
  const jackknife = (of: (out: number) => number) => {
    const left = tokens.map((_, out) => of(out));
    const middle = left.reduce((a, b) => a + b) / left.length;
    const squares = left.reduce((sum, one) => sum + (one - middle) ** 2, 0);
    return Math.sqrt(((left.length - 1) / left.length) * squares);
  };
  expect(loss).toMatchObject({ name: "wiki", measure: "loss", before: mean(before), after: mean(after) });
  expect(loss?.difference).toBeCloseTo(16 / 44, 12);
  expect(loss?.standardError).toBeCloseTo(jackknife((out) => mean(after, out) - mean(before, out)) ?? 0, 3);
  // Far less than from the two by themselves: the chunks' own difficulty cancels.
  const apart = Math.hypot(
    jackknife((out) => mean(after, out)),
    jackknife((out) => mean(before, out)),
  );
  expect(loss?.standardError ?? 1).toBeLessThan(apart / 5);
  expect(perplexity?.difference).toBeCloseTo(Math.exp(mean(after)) - Math.exp(mean(before)), 12);
  const ofPerplexity = jackknife((out) => Math.exp(mean(after, out)) - Math.exp(mean(before, out)));
  expect((perplexity?.standardError ?? 0) / ofPerplexity).toBeCloseTo(1, 1);
});

test("accuracies differ by the items whose verdict changed", () => {
  const before = choices(
    [
      [-1, -2],
      [-1, -2],
      [-3, -1],
      [-1, -4],
    ],
    [0, 0, 0, 0],
  );
  const after = choices(
    [
      [-1, -2],
      [-2, -1],
      [-3, -1],
      [-4, -1],
    ],
    [0, 0, 0, 0],
  );
  const found = compareEvaluations([before], [after]);
  expect(found.map(({ measure }) => measure)).toEqual([
    "accuracy",
    "accuracy by characters",
    "accuracy by bytes",
    "choice loss",
  ]);
  const [accuracy, characters, , loss] = found;
  expect(accuracy).toMatchObject({ before: 0.75, after: 0.25, difference: -0.5 });
  // Changes 0, -1, 0, -1: variance 1/3 over 4.
  expect(accuracy?.standardError).toBeCloseTo(Math.sqrt(1 / 12), 12);
  expect(characters?.standardError).toBe(0);
  const softplus = (gap: number) => Math.log(1 + Math.exp(gap));
  const changes = [0, softplus(1) - softplus(-1), 0, softplus(3) - softplus(-3)];
  const middle = changes.reduce((a, b) => a + b) / 4;
  const squares = changes.reduce((sum, one) => sum + (one - middle) ** 2, 0);
  expect(loss?.standardError).toBeCloseTo(Math.sqrt(squares / 12), 12);
});

test("answers are paired by item, their samples together", () => {
  const solved = (right: readonly boolean[]): EvaluationResult => {
    const perItem = right.map((correct) => ({ correct, rougeL: null }));
    const accuracy = right.filter(Boolean).length / right.length;
    const drawn = { samples: 2, temperature: 1, topP: 1, seed: 0, maxNewTokens: 4, stop: [] };
    const scores = { accuracy, rougeL: null, taskDigest: "t", perItem, ...drawn };
    return { kind: "solve", name: "sums", items: right.length, reused: 0, scores: scores as never };
  };
  const [accuracy] = compareEvaluations(
    [solved([true, true, true, false])],
    [solved([true, false, false, false])],
  );
  // Both items lose half of their answers.
  expect(accuracy).toMatchObject({ before: 0.75, after: 0.25, difference: -0.5, standardError: 0 });
});

test("what is not of the same items is refused, and so is what has none", () => {
  const one = text([20, 31], [8, 9]);
  expect(() => compareEvaluations([one], [])).toThrow("1 evaluations before and 0 after");
  expect(() => compareEvaluations([one], [text([20, 31], [8, 9], { data: { digest: "e" } })])).toThrow(
    "text of wiki (perplexity) is d before and e after",
  );
  expect(() => compareEvaluations([one], [text([20, 31], [8, 9], { stride: 3 })])).toThrow("stride");
  expect(() => compareEvaluations([one], [choices([[-1, -2]], [0])])).toThrow("kind of wiki");
  expect(() => compareEvaluations([one], [text([20, 31], [8, 9], { perItem: undefined })])).toThrow(
    "items: true",
  );
  expect(compareEvaluations([text([20], [8])], [text([25], [8])])[0]?.standardError).toBeNull();
});
