import { add, item, real } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import { ErrorSum, type ValueDraft } from "./draft.ts";
import type { Functional } from "./functional.ts";
import { foldCount } from "./removal-sample.ts";
import { fitSurrogate } from "./surrogate/fit.ts";

/** The draws of one size. */
export interface SizeSample {
  /** How many coalitions of this size there are, less those that are certain. */
  readonly population: number;
  readonly drawn: readonly Coalition[];
  /** For a size of the pool: the chance that a pooled draw is of this size. */
  readonly chance?: number;
}

export interface CrossFitInput {
  /** Coalitions whose values count as they are: whole sizes and the pilot. */
  readonly certain: readonly Coalition[];
  readonly sizes: readonly SizeSample[];
  readonly valueOf: (coalition: Coalition) => number;
  /** Puts training coalitions into an order whose every beginning is a fair selection. */
  readonly arrange: (training: readonly Coalition[]) => readonly Coalition[];
}

export interface CrossFit {
  /** One a linear map. */
  readonly drafts: readonly ValueDraft[];
  /** What the last fold's model found. */
  readonly description: string;
}

interface Draw {
  readonly coalition: Coalition;
  readonly size: number;
  readonly fold: number;
}

/**
 * Regression-adjusted estimates of linear maps of a game, unbiased whatever the regression is worth (the
 * difference estimator of survey sampling, Cassel, Sarndal and Wretman 1976, with cross-fitting; for Shapley
 * values Witter et al., arXiv 2506.11849). For each fold a model is fitted to everything outside it. What was
 * fitted to is known; over all other coalitions the map is applied to the model, and the fold, a simple
 * random sample of them within each size, estimates what the model got wrong there. The folds' mean weighs
 * each draw's error by population / draws, which gives its sampling variance.
 */
export function crossFit(input: CrossFitInput, functionals: readonly Functional[]): CrossFit {
  const { certain, sizes } = input;
  const draws = dealIntoFolds(sizes);
  const folds = Math.min(foldCount, draws.length);
  const poolDraws = draws.filter((draw) => sizes[draw.size]?.chance !== undefined).length;
  const estimates = functionals.map((functional) => new Float64Array(functional.size));
  const influences = sizes.map((): Influence[] => []);
  let description = "";
  for (let fold = 0; fold < folds; fold++) {
    const inside = draws.filter((draw) => draw.fold === fold);
    const outside = draws.filter((draw) => draw.fold !== fold);
    const training = input.arrange([...certain, ...outside.map((draw) => draw.coalition)]);
    const model = fitSurrogate(training, Float64Array.from(training, input.valueOf));
    description = model.description;
    const parts = functionals.map((functional) => model.apply(functional));
    const correct = (coalition: Coalition, weight: number): void => {
      const error = weight * (input.valueOf(coalition) - model.predict(coalition));
      for (const [f, functional] of functionals.entries()) functional.add(item(parts, f), coalition, error);
    };
    for (const coalition of certain) correct(coalition, 1);
    for (const { coalition, size } of outside) {
      // In a size of which next to nothing is seen, what was fitted to has no share worth the time.
      if (item(sizes, size).population < 1e9) correct(coalition, 1);
    }
    const insideBySize = countBySize(inside, sizes.length);
    const outsideBySize = countBySize(outside, sizes.length);
    const insidePool = inside.filter((draw) => sizes[draw.size]?.chance !== undefined).length;
    for (const { coalition, size } of inside) {
      const { population, chance, drawn } = item(sizes, size);
      const unseen = population - item(outsideBySize, size);
      const weight =
        chance === undefined ? unseen / item(insideBySize, size) : unseen / (chance * insidePool);
      const error = input.valueOf(coalition) - model.predict(coalition);
      for (const [f, functional] of functionals.entries()) {
        functional.add(item(parts, f), coalition, weight * error);
      }
      const fullWeight = chance === undefined ? population / drawn.length : population / (chance * poolDraws);
      influences[size]?.push({ coalition, amount: fullWeight * error });
    }
    for (const [f, part] of parts.entries()) {
      const estimate = item(estimates, f);
      for (let i = 0; i < part.length; i++) add(estimate, i, real(part, i) / folds);
    }
  }
  const drafts = functionals.map((functional, f) => {
    const errors = new ErrorSum(functional.size);
    const pool: Influence[] = [];
    for (const [s, { population, chance, drawn }] of sizes.entries()) {
      const own = item(influences, s);
      if (chance === undefined) addInfluences(errors, functional, own, 1 - drawn.length / population);
      else for (const influence of own) pool.push(influence);
    }
    addInfluences(errors, functional, pool, 1);
    return errors.finish(item(estimates, f));
  });
  return { drafts, description };
}

/** Deals each size's draws, which come in random order, to the folds in turn; the pool is dealt as one. */
function dealIntoFolds(sizes: readonly SizeSample[]): Draw[] {
  let turn = 0;
  const own = sizes.filter(({ chance }) => chance === undefined);
  const pooled = sizes.filter(({ chance }) => chance !== undefined);
  return [...own, ...pooled].flatMap((sample) => {
    const size = sizes.indexOf(sample);
    return sample.drawn.map((coalition) => ({ coalition, size, fold: turn++ % foldCount }));
  });
}

function countBySize(draws: readonly Draw[], sizes: number): number[] {
  const counts = new Array<number>(sizes).fill(0);
  for (const { size } of draws) counts[size] = item(counts, size) + 1;
  return counts;
}

/**
 * A draw's part in the error: `amount` times its coefficients. Kept apart, since 100,000 vectors do not fit.
 */
interface Influence {
  readonly coalition: Coalition;
  readonly amount: number;
}

/** Adds a simple random sample's influences on a mean: deviations from their mean, times the unseen share. */
function addInfluences(
  errors: ErrorSum,
  functional: Functional,
  influences: readonly Influence[],
  unseen: number,
): void {
  const n = influences.length;
  if (n === 0 || unseen <= 0) return;
  const mean = new Float64Array(functional.size);
  if (n > 1) for (const { coalition, amount } of influences) functional.add(mean, coalition, amount / n);
  const scale = Math.sqrt(unseen * (n > 1 ? n / (n - 1) : 1));
  const contribution = new Float64Array(functional.size);
  for (const { coalition, amount } of influences) {
    for (let i = 0; i < contribution.length; i++) contribution[i] = -scale * real(mean, i);
    functional.add(contribution, coalition, scale * amount);
    errors.add(contribution);
  }
}
