import { entry, item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { anInstance, checkArgument } from "../options.ts";
import { correlation, ranking, sharedFirst, spearman } from "../ranks.ts";
import { ShapleyEstimate } from "./estimate.ts";

/** How far two estimates agree. */
export interface Comparison {
  /** Spearman's rank correlation; NaN where all of one side's values are equal. */
  readonly rankCorrelation: number;
  /** Pearson's correlation of the values. */
  readonly correlation: number;
  /** By k = 1 .. n - 1: the share of the k lowest that both have in common. */
  readonly lowestOverlap: readonly number[];
  /** Root of the mean squared difference of the values. */
  readonly rootMeanSquare: number;
}

/** How alike two estimates of the same players are, whatever methods and targets they come from. */
export function compareEstimates(a: ShapleyEstimate, b: ShapleyEstimate, value?: string): Comparison {
  const estimate = anInstance(ShapleyEstimate, "an estimate");
  checkArgument("Comparing two estimates", "a", a, estimate);
  checkArgument("Comparing two estimates", "b", b, estimate);
  const missing = a.info.players.find((player) => !b.info.players.includes(player));
  if (missing !== undefined || a.info.players.length !== b.info.players.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Comparing two estimates: they are of different players (${a.info.players.length} and ` +
        `${b.info.players.length}${missing === undefined ? "" : `, "${missing}" only in the first`}). ` +
        "Compare estimates of one game.",
    );
  }
  const inB = new Map(b.players(value).map(({ player, value: number }) => [player, number]));
  const left = a.players(value).map(({ value: number }) => number);
  const right = a.info.players.map((player) => entry(inB, player));
  const orderLeft = ranking(left);
  const orderRight = ranking(right);
  const lowestOverlap = left.slice(1).map((_, index) => sharedFirst(orderLeft, orderRight, index + 1));
  const squares = left.reduce((sum, x, i) => sum + (x - item(right, i)) ** 2, 0);
  return {
    rankCorrelation: spearman(left, right),
    correlation: correlation(left, right),
    lowestOverlap,
    rootMeanSquare: Math.sqrt(squares / left.length),
  };
}
