import { DepthkitError } from "../errors.ts";
import {
  aNumber,
  aText,
  type Checks,
  checkArgument,
  checkOptions,
  listOf,
  objectOf,
  required,
} from "../options.ts";
import { tQuantile } from "../shapley/student-t.ts";
import { deviationOf, pairedDifference } from "./choice-certainty.ts";

/** A way to choose, and what its choices were worth on unseen text, a number per draw; higher is better. */
export interface ChoiceResults {
  readonly name: string;
  readonly results: readonly number[];
}

/** Two ways to choose on the same draws, and whether they differ beyond their noise. */
export interface ChoiceComparison {
  readonly draws: number;
  /** The mean over draws of how much more the first is worth than the second. */
  readonly difference: number;
  readonly standardError: number;
  /** Of the difference, by Student's t over the draws' own differences. */
  readonly interval: readonly [number, number];
  /** By how much one draw moves each one's result: standard deviations. */
  readonly deviations: readonly [number, number];
  /** Whether the interval leaves 0 out. */
  readonly largerThanNoise: boolean;
  /** All of this in words. */
  readonly sentence: string;
}

const aWay = objectOf({
  name: required(aText),
  results: required(listOf(aNumber)),
} satisfies Checks<ChoiceResults>);

/**
 * Whether one way to choose is better than another beyond what draws of calibration text make of either. The
 * same draws serve both, so that what a draw does to both is no difference between them.
 */
export function compareChoices(
  first: ChoiceResults,
  second: ChoiceResults,
  options: { readonly confidence?: number } = {},
): ChoiceComparison {
  checkArgument("compareChoices", "first", first, aWay);
  checkArgument("compareChoices", "second", second, aWay);
  checkOptions("compareChoices", options, { confidence: aNumber });
  const { confidence = 0.95 } = options;
  const draws = first.results.length;
  if (draws < 2 || second.results.length !== draws) {
    refuse(`got ${draws} and ${second.results.length} results; give both the same two draws or more`);
  }
  const bad = [...first.results, ...second.results].find((result) => !Number.isFinite(result));
  if (bad !== undefined) refuse(`a result is ${bad}; only finite numbers can be compared`);
  if (!(confidence > 0 && confidence < 1)) {
    refuse(`got confidence = ${confidence}; it is a number between 0 and 1`);
  }
  const { mean: difference, standardError } = pairedDifference(first.results, second.results);
  const reach = tQuantile((1 + confidence) / 2, draws - 1) * standardError;
  const interval = [difference - reach, difference + reach] as const;
  const deviations = [deviationOf(first.results), deviationOf(second.results)] as const;
  const largerThanNoise = interval[0] > 0 || interval[1] < 0;
  const number = (x: number) => Number(x.toPrecision(3)).toString();
  const sentence =
    `Over ${draws} draws of text ${first.name} is worth ${number(Math.abs(difference))} ` +
    `${difference < 0 ? "less" : "more"} than ${second.name} (${number(100 * confidence)}% interval of the ` +
    `difference ${number(interval[0])} to ${number(interval[1])}), and one draw moves their results by ` +
    `${number(deviations[0])} and ${number(deviations[1])}: the difference is ` +
    `${largerThanNoise ? "larger" : "not larger"} than calibration noise.`;
  return { draws, difference, standardError, interval, deviations, largerThanNoise, sentence };
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Comparing ways to choose: ${why}.`);
}
