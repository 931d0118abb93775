import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { Coalition } from "../game/coalition.ts";
import { type Constraint, sumOf } from "./budget.ts";

/** Sums of costs are off by rounding. */
const rounding = 1e-12;

/**
 * The sets that may be chosen: candidates alone, enough of them for the budget, and none without need. A rule
 * about which sets are allowed belongs here, in `isMet` and `extensions`, and every strategy obeys it.
 */
export class SearchSpace {
  readonly players: number;
  /** The players that may go and whose going counts, in the game's order. */
  readonly candidates: readonly number[];
  readonly constraints: readonly Constraint[];

  constructor(players: number, mayGo: readonly number[], constraints: readonly Constraint[]) {
    this.players = players;
    this.constraints = constraints;
    this.candidates = mayGo.filter((player) => constraints.some(({ costs }) => item(costs, player) > 0));
    if (this.isMet([])) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        "Searching: the budget asks to remove nothing. Ask for at least one player, or for more of a cost.",
      );
    }
    for (const constraint of constraints) {
      const most = sumOf(constraint, this.candidates);
      if (most >= constraint.amount * (1 - rounding)) continue;
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Searching: the budget asks to remove ${constraint.amount} ${constraint.what}, but all candidates ` +
          `together are ${most}. Ask for less, name more candidates or protect fewer players.`,
      );
    }
  }

  /** How many players go, where the budget says it. */
  get count(): number | undefined {
    if (!this.constraints.every(({ exact }) => exact)) return undefined;
    return this.constraints.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** The most players that can go: the cheapest candidates first. */
  get mostRemoved(): number {
    return this.count ?? this.candidates.length;
  }

  /** Spaces of every count from 1 to the asked one, largest first; only where the budget is one count. */
  smaller(): SearchSpace[] {
    const [constraint, ...others] = this.constraints;
    if (constraint === undefined || others.length > 0 || !constraint.exact) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        "Searching for every size: the budget must be one count, such as 5 or { attention: 5 }.",
      );
    }
    return Array.from(
      { length: constraint.amount },
      (_, less) =>
        new SearchSpace(this.players, this.candidates, [{ ...constraint, amount: constraint.amount - less }]),
    );
  }

  /** The coalition that stays. */
  keeping(removed: readonly number[]): Coalition {
    return Coalition.without(this.players, removed);
  }

  /** Whether enough has gone. */
  isMet(removed: readonly number[]): boolean {
    return this.constraints.every((constraint) => reaches(constraint, removed));
  }

  /** The candidates whose going brings the budget nearer; none when it is met. */
  extensions(removed: readonly number[]): number[] {
    const open = this.constraints.filter((constraint) => !reaches(constraint, removed));
    return this.candidates.filter(
      (player) => !removed.includes(player) && open.some(({ costs }) => item(costs, player) > 0),
    );
  }

  /** The members without which the budget is still met. */
  needless(removed: readonly number[]): number[] {
    return removed.filter((player) => this.isMet(removed.filter((other) => other !== player)));
  }

  /** Enough, and nothing without need: what a search may answer with. */
  isChoice(removed: readonly number[]): boolean {
    return this.isMet(removed) && this.needless(removed).length === 0;
  }

  /**
   * Makes a choice of a set: lets players go in this order until the budget is met, then takes back what has
   * become needless, the last of the order first.
   */
  complete(removed: readonly number[], order: readonly number[]): number[] {
    const chosen = [...removed];
    for (const player of order) {
      if (this.extensions(chosen).includes(player)) chosen.push(player);
    }
    for (const player of [...order].reverse()) {
      if (this.needless(chosen).includes(player)) chosen.splice(chosen.indexOf(player), 1);
    }
    return chosen.sort((a, b) => a - b);
  }

  /** The choices that differ by one player that goes in place of one or more that stay after all. */
  exchanges(removed: readonly number[]): number[][] {
    const found = new Map<string, number[]>();
    for (const entering of this.candidates) {
      if (removed.includes(entering)) continue;
      for (const leaving of removed) {
        const swapped = [...removed.filter((player) => player !== leaving), entering];
        if (!this.isMet(swapped)) continue;
        const choice = this.complete(
          swapped,
          swapped.filter((player) => player !== entering),
        );
        if (this.isChoice(choice)) found.set(choice.join(), choice);
      }
    }
    return [...found.values()];
  }
}

function reaches(constraint: Constraint, removed: readonly number[]): boolean {
  return sumOf(constraint, removed) >= constraint.amount * (1 - rounding);
}
