import { DepthkitError } from "../errors.ts";
import type { Draft } from "./draft.ts";
import type { Functional } from "./functional.ts";
import type { Session } from "./session.ts";
import { describeTarget, type Target } from "./target.ts";
import type { Leverages } from "./unseen.ts";

/** Names of all estimators; docs/shapley.md says what each is for. */
export const methods = [
  "exact",
  "leave-one-out",
  "present-absent",
  "permutation",
  "stratified",
  "kernel",
  "regression",
] as const;

/** An estimator by its name. */
export type Method = (typeof methods)[number];

/** What an estimator's numbers are, whatever the game. */
export interface EstimatorTraits {
  /** Its mean over seeds is the target. */
  readonly unbiased: boolean;
  /** Its values sum up to v(all) - v(none). */
  readonly efficient: boolean;
}

export interface Outcome extends Partial<EstimatorTraits> {
  readonly draft: Draft;
  /** Estimates of the further linear maps that were asked for. */
  readonly extras?: readonly Draft[];
  /** What the fitted models of the game found, one text per value, where the estimator has them. */
  readonly surrogates?: readonly string[];
}

/** One way to estimate a target. */
export interface Estimator extends EstimatorTraits {
  readonly method: Method;
  /** A model of the game speaks for what was not drawn, so that less is left to surprise. */
  readonly modelled?: boolean;
  /** Throws when the target makes no sense for it. */
  check(target: Target, players: number): void;
  /** The smallest budget that works. */
  minimum(players: number, reach: number): number;
  /** The leverages of what it estimates, where that is not the target itself. */
  leverages?(players: number): Leverages;
  /**
   * `extras`: further linear maps of the game to estimate from the same evaluations, by the methods that can.
   */
  run(session: Session, extras?: readonly Functional[]): Promise<Outcome>;
}

export function refuseTarget(method: Method, target: Target, allowed: string): never {
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Estimating by "${method}": the target ${describeTarget(target)} is not something it can estimate; ` +
      `it takes ${allowed}. Choose another target, or one of the methods "permutation", "stratified" and ` +
      `"regression", which take every target.`,
  );
}
