/** What two subnetworks score on the same items, side by side, with how sure the difference is. */
import { DepthkitError } from "../errors.ts";
import { anObject, checkArgument, listOf } from "../options.ts";
import type { GenerationScore } from "../protocol/generation-task.ts";
import type { EvaluationResult } from "./evaluate.ts";
import type { Perplexity } from "./perplexity.ts";
import type { ChoiceScores, LastWordScores } from "./task-scores.ts";

/** One figure of two subnetworks on the same data. */
export interface EvaluationDifference {
  /** The evaluation's name. */
  name: string;
  /** Such as `loss`, `perplexity`, `accuracy`, `choice loss`. */
  measure: string;
  /** Of the first. */
  before: number;
  /** Of the second. */
  after: number;
  /** `after` less `before`. */
  difference: number;
  /** Of the difference, over the pairs of items; null with a single item, or where a figure is infinite. */
  standardError: number | null;
}

/**
 * The figures of the same evaluations of two subnetworks, with their differences. Each was asked for with
 * `items: true`: items are paired, so what is hard for both does not count as noise, and the standard error
 * is often several times less than those of the two figures would make it.
 *
 * @throws DepthkitError INVALID_ARGUMENT where the two are not the same evaluations of the same data, or have
 * no items
 */
export function compareEvaluations(
  before: readonly EvaluationResult[],
  after: readonly EvaluationResult[],
): EvaluationDifference[] {
  checkArgument("compareEvaluations", "before", before, listOf(anObject));
  checkArgument("compareEvaluations", "after", after, listOf(anObject));
  if (before.length !== after.length) {
    throw refusal(`there are ${before.length} evaluations before and ${after.length} after`);
  }
  return before.flatMap((one, place) => {
    const other = after[place] ?? one;
    const name = one.name === one.kind ? one.kind : `${one.name} (${one.kind})`;
    const [first, second] = [protocolOf(one), protocolOf(other)];
    for (const [field, value] of Object.entries(first)) {
      if (value === second[field]) continue;
      const words = `${field} of ${name} is ${String(value)} before and ${String(second[field])} after`;
      throw refusal(words, { field, before: value, after: second[field] });
    }
    return figuresOf(one, other).map(({ measure, from, to }) => ({
      name: one.name,
      measure,
      before: from.value,
      after: to.value,
      difference: to.value - from.value,
      standardError: pairedError(from, to),
    }));
  });
}

/** A mean over items, and how far each item pulls at it: what its share would move the mean by, times n. */
interface Figure {
  value: number;
  pulls: readonly number[];
}

function pairedError(from: Figure, to: Figure): number | null {
  const items = to.pulls.length;
  const pulls = to.pulls.map((pull, item) => pull - (from.pulls[item] ?? 0));
  const squares = pulls.reduce((sum, pull) => sum + pull * pull, 0);
  const error = Math.sqrt(squares / (items - 1) / items);
  return items > 1 && Number.isFinite(error) ? error : null;
}

type Pair = { measure: string; from: Figure; to: Figure };

function figuresOf(one: EvaluationResult, other: EvaluationResult): Pair[] {
  const [before, after] = [measuresOf(one), measuresOf(other)];
  return Object.entries(before).flatMap(([measure, from]) => {
    const to = after[measure];
    return to === undefined ? [] : [{ measure, from, to }];
  });
}

function measuresOf({ kind, name, scores }: EvaluationResult): Record<string, Figure> {
  if (!("perItem" in scores) || scores.perItem === undefined || scores.perItem === null) {
    throw refusal(`${name} has no items: ask for it with items: true`, { name });
  }
  switch (kind) {
    case "perplexity":
      return ofText(scores as Perplexity);
    case "choices":
      return ofChoices(scores as ChoiceScores);
    case "lastWord":
      return ofLastWords(scores as LastWordScores);
    case "solve":
      return ofAnswers(scores as GenerationScore);
  }
}

/** The mean over tokens is a ratio of sums over chunks: a chunk pulls by what is above its share. */
function ofText({ perItem = [], loss, perplexity, tokensScored }: Perplexity): Record<string, Figure> {
  const pulls = perItem.map((chunk) => ((chunk.loss - chunk.tokens * loss) * perItem.length) / tokensScored);
  const value = Number(perplexity);
  return {
    loss: { value: loss, pulls },
    // exp is nearly a straight line over so small a step, with the perplexity as its slope.
    perplexity: { value, pulls: pulls.map((pull) => pull * value) },
  };
}

function ofChoices({ perItem = [], ...scores }: ChoiceScores): Record<string, Figure> {
  const right = (chosen: "chosen" | "chosenNormChars" | "chosenNormBytes") =>
    meanOf(perItem.map((item) => Number(item[chosen] === item.answer)));
  return {
    accuracy: { ...right("chosen"), value: scores.acc.micro },
    "accuracy by characters": { ...right("chosenNormChars"), value: scores.accNormChars.micro },
    "accuracy by bytes": { ...right("chosenNormBytes"), value: scores.accNormBytes.micro },
    "choice loss": { ...meanOf(perItem.map(choiceLoss)), value: scores.choiceLoss },
  };
}

/** -log softmax(log-likelihoods)[answer], in nats. */
export function choiceLoss({ logLikelihoods, answer }: NonNullable<ChoiceScores["perItem"]>[number]): number {
  const most = Math.max(...logLikelihoods);
  const sum = logLikelihoods.reduce((total, one) => total + Math.exp(one - most), 0);
  return most + Math.log(sum) - (logLikelihoods[answer] ?? Number.NaN);
}

function ofLastWords({ perItem = [], acc }: LastWordScores): Record<string, Figure> {
  return {
    accuracy: { ...meanOf(perItem.map(({ right }) => Number(right))), value: acc },
    "loss of a target": meanOf(perItem.map(({ logLikelihood }) => -logLikelihood)),
  };
}

function ofAnswers({ perItem, samples, accuracy, rougeL }: GenerationScore): Record<string, Figure> {
  const answers = perItem ?? [];
  const ofItems = (value: (answer: (typeof answers)[number]) => number) =>
    meanOf(
      Array.from({ length: answers.length / samples }, (_, item) => {
        const own = answers.slice(item * samples, (item + 1) * samples);
        return own.reduce((sum, answer) => sum + value(answer), 0) / samples;
      }),
    );
  return {
    accuracy: { ...ofItems(({ correct }) => Number(correct)), value: accuracy },
    ...(rougeL === null
      ? {}
      : { "ROUGE-L": { ...ofItems((answer) => answer.rougeL ?? 0), value: rougeL.fMeasure } }),
  };
}

function meanOf(values: readonly number[]): Figure {
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  return { value, pulls: values.map((one) => one - value) };
}

/** What has to be the same for two results to be of the same items. */
function protocolOf({ kind, items, scores }: EvaluationResult): Record<string, unknown> {
  if (kind === "perplexity") {
    const { data, rows, separator, chunk, stride, bos, tokensScored } = scores as Perplexity;
    return { kind, items, text: data.digest, rows, separator, chunk, stride, bos, tokensScored };
  }
  const { taskDigest } = scores as ChoiceScores | LastWordScores | GenerationScore;
  if (kind !== "solve") return { kind, items, task: taskDigest };
  const { samples, temperature, topP, seed, maxNewTokens, stop } = scores as GenerationScore;
  const ends = stop.join("\u0000");
  return { kind, items, task: taskDigest, samples, temperature, topP, seed, maxNewTokens, stop: ends };
}

function refusal(words: string, details: Record<string, unknown> = {}): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `compareEvaluations: ${words}. Give what evaluate() returned of two subnetworks for the same ` +
      "evaluations, each with items: true.",
    { details },
  );
}
