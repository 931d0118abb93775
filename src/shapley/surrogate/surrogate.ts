import type { Coalition } from "../../game/coalition.ts";
import type { Functional } from "../functional.ts";

/** A cheap model of one value of a game. */
export interface Surrogate {
  predict(coalition: Coalition): number;
  /** The model's exact image under a linear map: its own Shapley values, interactions, and so on. */
  apply(functional: Functional): Float64Array;
  /** What the fit found, for people to read. */
  readonly description: string;
}
