import { EigenvalueDecomposition, Matrix, solve } from "ml-matrix";
import { item } from "../arrays.ts";

/**
 * Says of a prompt by how much each mask would lose more than the masks' mean: linear in the prompt's
 * features, each less its mean and by its deviation over the prompts that it was fitted to.
 */
export interface Router {
  readonly means: readonly number[];
  /** 1 where a feature never varied; its weights are 0. */
  readonly deviations: readonly number[];
  /** A mask each: what it loses beyond the masks' mean, in the mean over the prompts. */
  readonly intercepts: readonly number[];
  /** A row of weights per mask. */
  readonly weights: readonly (readonly number[])[];
  /**
   * The ridge by the mean squared length of a standardised prompt, as held-out error chose it. null: no
   * finite one was better than none of the features, so that every prompt has the same route.
   */
  readonly strength: number | null;
}

export interface FittedRouter {
  readonly router: Router;
  /** Of every strength that was tried, the mean squared error of what was held out, in squared nats. */
  readonly heldOut: readonly { readonly strength: number | null; readonly error: number }[];
}

type Rows = readonly (readonly number[])[];

/** Half decades, the strongest first: of equally good ones the strongest is taken. */
export const strengths: readonly number[] = Array.from({ length: 13 }, (_, at) => 10 ** (3 - at / 2));

/**
 * Ridge regression of what each mask loses beyond the masks' mean on features of the prompt. What is common
 * to all masks, how hard a text is, decides no route and would drown what does.
 *
 * With X the standardised features and y one mask's column, both less their means, and X X' = U E U': w = X'
 * U / (E + r) U' y. The strength r is the one of least error on runs of prompts that are held out in turn,
 * the same for all masks; the residuals of a held-out run B are (I - H_BB)^-1 (y - H y)_B, H being the hat
 * matrix 1/n + U E / (E + r) U', which is what fitting again without B gives. Time goes as the cube of the
 * number of prompts.
 *
 * `features`: a row per prompt. `losses`: the same, a column per mask; lower is better. `runs`: of each
 * prompt the number of its run; at least two runs, so that neighbours do not vouch for each other.
 */
export function fitRouter(features: Rows, losses: Rows, runs: readonly number[]): FittedRouter {
  const scaled = standardise(features);
  const excess = new Matrix(losses.map(beyondMean));
  const intercepts = excess.mean("column");
  const targets = excess.clone().subRowVector(intercepts);
  const basis = basisOf(scaled.rows);
  const length = basis.eigenvalues.reduce((sum, one) => sum + one, 0) / features.length;
  const rows = runRows(runs);
  const errorOf = (strength: number | null) =>
    heldOutError(basis, targets, rows, shrink(basis, strength, length));
  const heldOut = [null, ...strengths].map((strength) => ({ strength, error: errorOf(strength) }));
  const best = heldOut.reduce((a, b) => (b.error < a.error ? b : a));
  return {
    router: {
      means: scaled.means,
      deviations: scaled.deviations,
      intercepts,
      weights: weightsOf(basis, targets, best.strength, length),
      strength: best.strength,
    },
    heldOut,
  };
}

/** By how much each mask is expected to lose more than the masks' mean on a prompt of these features. */
export function predict(router: Router, features: readonly number[]): number[] {
  const scaled = features.map((x, at) => (x - item(router.means, at)) / item(router.deviations, at));
  return router.intercepts.map((intercept, mask) =>
    item(router.weights, mask).reduce((sum, weight, at) => sum + weight * item(scaled, at), intercept),
  );
}

/** The place of the least number; of equal ones the first. */
export function least(numbers: readonly number[]): number {
  return numbers.reduce((best, number, at) => (number < item(numbers, best) ? at : best), 0);
}

/** X with X X' = U E U'. */
interface Basis {
  readonly X: Matrix;
  readonly U: Matrix;
  readonly eigenvalues: readonly number[];
}

function basisOf(X: Matrix): Basis {
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(X.mmul(X.transpose()), {
    assumeSymmetric: true,
  });
  // None is below 0 but by rounding.
  return { X, U: eigenvectorMatrix, eigenvalues: realEigenvalues.map((one) => Math.max(0, one)) };
}

function beyondMean(losses: readonly number[]): number[] {
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  return losses.map((loss) => loss - mean);
}

function standardise(features: Rows) {
  const rows = new Matrix(features.map((row) => [...row]));
  const means = rows.mean("column");
  const spread = rows.standardDeviation("column", { mean: means, unbiased: false });
  // What varies by rounding alone does not vary.
  const deviations = spread.map((deviation, at) =>
    deviation > 1e-12 * Math.abs(item(means, at)) ? deviation : 1,
  );
  rows.subRowVector(means).divRowVector(deviations);
  return { rows, means, deviations };
}

/** E / (E + r), by which each direction of the features is followed; 0 for no features. */
function shrink({ eigenvalues }: Basis, strength: number | null, length: number): number[] {
  if (strength === null || length === 0) return eigenvalues.map(() => 0);
  return eigenvalues.map((one) => one / (one + strength * length));
}

function runRows(runs: readonly number[]): number[][] {
  return [...new Set(runs)].map((run) => [...runs.keys()].filter((row) => runs[row] === run));
}

function heldOutError(
  { U }: Basis,
  targets: Matrix,
  runs: readonly number[][],
  factors: readonly number[],
): number {
  const followed = U.clone().mulRowVector([...factors]);
  const residuals = Matrix.sub(targets, followed.mmul(U.transpose().mmul(targets)));
  let sum = 0;
  for (const rows of runs) {
    const hat = followed
      .subMatrixRow(rows)
      .mmul(U.subMatrixRow(rows).transpose())
      .add(1 / U.rows);
    const left = Matrix.eye(rows.length).sub(hat);
    const held = solve(left, residuals.subMatrixRow(rows));
    sum += held.clone().mul(held).sum();
  }
  return sum / (targets.rows * targets.columns);
}

function weightsOf(basis: Basis, targets: Matrix, strength: number | null, length: number): number[][] {
  const { X, U, eigenvalues } = basis;
  // 1 / (E + r): nothing is followed along a direction that has no length.
  const scale = shrink(basis, strength, length).map((factor, at) => {
    const one = item(eigenvalues, at);
    return one === 0 ? 0 : factor / one;
  });
  const along = U.clone().mulRowVector(scale).mmul(U.transpose().mmul(targets));
  return X.transpose().mmul(along).transpose().to2DArray();
}
