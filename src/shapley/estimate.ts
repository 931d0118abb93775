import { item, real } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { tieGroups } from "../ranks.ts";
import type { ValueDraft } from "./draft.ts";
import { pairIndex } from "./functional.ts";
import { cut, lowestProbabilities } from "./probability.ts";
import type { StopReason } from "./session.ts";
import { tQuantile } from "./student-t.ts";
import type { Target } from "./target.ts";
import type { JudgedDraft, JudgedDrafts } from "./unseen.ts";

/** A player's estimate, in the units of the game's value. */
export interface PlayerEstimate<Player extends string = string> {
  /** Its name. */
  readonly player: Player;
  /** The estimate. */
  readonly value: number;
  readonly standardError: number;
  /** 95% confidence interval, by Student's t. */
  readonly interval: readonly [low: number, high: number];
}

/**
 * A pair's interaction: positive when the two need each other, negative when each stands in for the other.
 */
export interface PairEstimate<Player extends string = string> extends Omit<PlayerEstimate, "player"> {
  /** The two, by name. */
  readonly players: readonly [Player, Player];
}

/** Where an estimate stood after so many evaluations. */
export interface TracePoint {
  /** Evaluations spent by then. */
  readonly evaluations: number;
  /** Their cost by then, as the game counts it. */
  readonly cost: number;
  /** Seconds since it began. */
  readonly seconds: number;
  /** Values and standard errors by value name, in the order of the players. */
  readonly values: Readonly<
    Record<string, { readonly value: Float64Array; readonly standardError: Float64Array }>
  >;
}

/** What was estimated, how, and what it took. */
export interface EstimateInfo<Player extends string = string> {
  /** How many there are. */
  readonly players: readonly Player[];
  /** The values of the game that were estimated, by name. */
  readonly values: readonly string[];
  /** The estimator that ran: "exact" when the budget allowed for every coalition. */
  readonly method: string;
  /** The one that was asked for. */
  readonly requested: string;
  /** The average of marginal contributions that was estimated. */
  readonly target: Target;
  /** Of the sample. */
  readonly seed: number;
  /** Whether the estimates are right on average. */
  readonly unbiased: boolean;
  /** Whether the estimates add up to what all players are worth. */
  readonly efficient: boolean;
  /** Coalitions evaluated at the game, each once; also the number of distinct ones. */
  readonly evaluations: number;
  /** Coalitions the estimator used, repeats included. */
  readonly draws: number;
  /** Block evaluations, where the game tells; 0 where not. */
  readonly cost: number;
  /** Seconds it took. */
  readonly seconds: number;
  /** Why it ended. */
  readonly stopped: StopReason;
  /** By value: the loss at which it was capped, and how many coalitions were. */
  readonly capped: Readonly<Record<string, { readonly at: number; readonly coalitions: number }>>;
  /** By value: sum of the players' values less (v(all) - v(none)); null where v(none) was not evaluated. */
  readonly efficiencyGap: Readonly<Record<string, number | null>>;
  /** How it went, as coalitions were evaluated. */
  readonly trace: readonly TracePoint[];
  /** By value: what the regression's model of the game found. */
  readonly surrogates: Readonly<Record<string, string>>;
}

export interface EstimateParts<Player extends string = string> {
  readonly info: EstimateInfo<Player>;
  readonly draft: JudgedDrafts;
  readonly interactions?: JudgedDrafts | undefined;
  readonly banzhaf?: JudgedDrafts | undefined;
}

/**
 * What `estimateShapley` gives: numbers with their errors, how they came about, and what they rank lowest.
 */
export class ShapleyEstimate<Player extends string = string> {
  readonly info: EstimateInfo<Player>;
  readonly #parts: EstimateParts<Player>;

  constructor(parts: EstimateParts<Player>) {
    this.info = parts.info;
    this.#parts = parts;
  }

  /** Every player's estimate, in the game's order. `value` defaults to the game's first. */
  players(value?: string): PlayerEstimate<Player>[] {
    const draft = this.draft(value);
    return this.info.players.map((player, i) => ({ player, ...estimateAt(draft, i) }));
  }

  /** Every player's estimate by name, as `compareScores`, `measureRemovalCosts` and `search` take scores. */
  toScores(value?: string): { name: string; scores: Record<Player, number> } {
    const name = item(this.info.values, this.#valueAt(value));
    const scores = this.players(value).map((estimate) => [estimate.player, estimate.value]);
    return { name, scores: Object.fromEntries(scores) as Record<Player, number> };
  }

  /** The players from the lowest estimate to the highest; who ties within rounding, in the game's order. */
  ranking(value?: string): Player[] {
    return this.#groups(value).flat();
  }

  /** Groups of players whose estimates differ by no more than rounding, lowest first; nothing ranks these. */
  ties(value?: string): Player[][] {
    return this.#groups(value).filter((group) => group.length > 1);
  }

  /** The k players with the lowest estimates, lowest first: what to remove first. */
  lowest(k: number, value?: string): Player[] {
    return this.ranking(value).slice(0, this.#checkCount(k));
  }

  /** The k players with the highest estimates, highest first. */
  highest(k: number, value?: string): Player[] {
    return this.ranking(value).reverse().slice(0, this.#checkCount(k));
  }

  /**
   * For each of the k lowest, the chance that it truly is among the k lowest; and for all of them together.
   */
  lowestProbabilities(
    k: number,
    value?: string,
  ): { each: { player: Player; probability: number }[]; together: number } {
    const { each, together, chosen } = lowestProbabilities(this.draft(value), this.#checkCount(k));
    const { players } = this.info;
    return {
      each: chosen.map((i) => ({ player: item(players, i), probability: real(each, i) })),
      together,
    };
  }

  /**
   * Who is within rounding of the cut behind the k lowest, on both of its sides: among these `lowest` chooses
   * by the game's order alone. Empty where nobody ties across the cut.
   */
  tied(k: number, value?: string): Player[] {
    return cut(this.draft(value), this.#checkCount(k)).tied.map((i) => item(this.info.players, i));
  }

  /** Pairwise interactions, strongest first; asked for with `interactions: true`. */
  interactions(value?: string): PairEstimate<Player>[] {
    const draft = this.#extra("interactions", value);
    const { players } = this.info;
    const pairs: PairEstimate<Player>[] = [];
    for (const [i, first] of players.entries()) {
      for (const [j, second] of players.entries()) {
        if (i < j)
          pairs.push({ players: [first, second], ...estimateAt(draft, pairIndex(players.length, i, j)) });
      }
    }
    return pairs.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  }

  /** Banzhaf values in the game's order; asked for with `banzhaf: true`. */
  banzhaf(value?: string): PlayerEstimate<Player>[] {
    const draft = this.#extra("banzhaf", value);
    return this.info.players.map((player, i) => ({ player, ...estimateAt(draft, i) }));
  }

  /** Plain data: how the estimate came about and, by value, every player's estimate. */
  toJSON() {
    const { values, trace, ...info } = this.info;
    return {
      ...info,
      trace: trace.map(({ evaluations, cost, seconds, values: at }) => ({
        evaluations,
        cost,
        seconds,
        values: Object.fromEntries(
          Object.entries(at).map(([name, { value, standardError }]) => [
            name,
            { value: Array.from(value), standardError: Array.from(standardError) },
          ]),
        ),
      })),
      estimates: Object.fromEntries(values.map((name) => [name, this.players(name)])),
      ties: Object.fromEntries(values.map((name) => [name, this.ties(name)])),
    };
  }

  /** The raw numbers of one value. */
  draft(value?: string): JudgedDraft {
    return item(this.#parts.draft.values, this.#valueAt(value));
  }

  #groups(value: string | undefined): Player[][] {
    const { estimate, rounding } = this.draft(value);
    return tieGroups(estimate, rounding).map((group) => group.map((i) => item(this.info.players, i)));
  }

  #extra(name: "interactions" | "banzhaf", value: string | undefined): ValueDraft {
    const draft = this.#parts[name];
    if (draft === undefined) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Reading ${name} of an estimate: they were not asked for. Call estimateShapley with \`${name}: ` +
          `true\` and the method "exact" or "regression".`,
      );
    }
    return item(draft.values, this.#valueAt(value));
  }

  #valueAt(value: string | undefined): number {
    const at = value === undefined ? 0 : this.info.values.indexOf(value);
    if (at >= 0) return at;
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Reading an estimate: there is no value "${value}"; the game's values are ` +
        `${this.info.values.join(", ")}.`,
    );
  }

  #checkCount(k: number): number {
    if (Number.isInteger(k) && k >= 0 && k <= this.info.players.length) return k;
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Reading an estimate: got k = ${k}; it is an integer from 0 to ${this.info.players.length}, the ` +
        `number of players.`,
    );
  }
}

function estimateAt(draft: ValueDraft, i: number): Omit<PlayerEstimate, "player"> {
  const value = real(draft.estimate, i);
  const standardError = Math.sqrt(real(draft.variance, i));
  const reach = standardError === 0 ? 0 : tQuantile(0.975, real(draft.degrees, i)) * standardError;
  return { value, standardError, interval: [value - reach, value + reach] };
}
