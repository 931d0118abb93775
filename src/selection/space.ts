import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { Coalition } from "../game/coalition.ts";
import { type Constraint, sumOf } from "./budget.ts";
import type { PatternRule } from "./pattern-rule.ts";

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
  /** What else is asked of a set that is chosen. */
  readonly rule: PatternRule | undefined;
  /** How many players go under the rule, which looks ahead to all of them. */
  readonly #size: number;

  constructor(
    players: number,
    mayGo: readonly number[],
    constraints: readonly Constraint[],
    rule?: PatternRule | undefined,
  ) {
    this.players = players;
    this.constraints = constraints;
    this.candidates = mayGo.filter((player) => constraints.some(({ costs }) => item(costs, player) > 0));
    this.rule = rule;
    if (this.#isReached([])) {
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
    this.#size = rule === undefined ? Number.NaN : this.#sizeUnder(rule);
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
    const { rule, candidates } = this;
    return Array.from({ length: constraint.amount }, (_, less) => constraint.amount - less)
      .filter((amount) => rule === undefined || rule.reaches([], candidates, amount))
      .map((amount) => new SearchSpace(this.players, candidates, [{ ...constraint, amount }], rule));
  }

  /** The coalition that stays. */
  keeping(removed: readonly number[]): Coalition {
    return Coalition.without(this.players, removed);
  }

  /** Whether enough has gone, as the rule has it where there is one. */
  isMet(removed: readonly number[]): boolean {
    if (!this.#isReached(removed)) return false;
    return this.rule === undefined || (removed.length === this.#size && this.rule.allows(removed));
  }

  /** The candidates whose going brings the budget nearer; none when it is met. Under a rule such alone that a
   * choice has beside those that are gone. */
  extensions(removed: readonly number[]): number[] {
    return this.candidates.filter((player) => this.#extends(removed, player));
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
   * become needless, the last of the order first. Under a rule it begins with as many of the set as some
   * choice has, the last of them first.
   */
  complete(removed: readonly number[], order: readonly number[]): number[] {
    const chosen = this.#together(removed);
    for (const player of order) {
      if (this.candidates.includes(player) && this.#extends(chosen, player)) chosen.push(player);
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
        const rest = removed.filter((player) => player !== leaving);
        const swapped = [...rest, entering];
        // Under a rule others may have to go along.
        const along = this.rule === undefined ? [] : this.candidates.filter((player) => player !== leaving);
        if (this.rule === undefined && !this.isMet(swapped)) continue;
        const choice = this.complete(swapped, [...rest, ...along]);
        if (this.isChoice(choice)) found.set(choice.join(), choice);
      }
    }
    return [...found.values()];
  }

  #isReached(removed: readonly number[]): boolean {
    return this.constraints.every((constraint) => reaches(constraint, removed));
  }

  #extends(removed: readonly number[], player: number): boolean {
    const counts = (constraint: Constraint) =>
      item(constraint.costs, player) > 0 && !reaches(constraint, removed);
    if (removed.includes(player) || !this.constraints.some(counts)) return false;
    return this.rule === undefined || this.rule.reaches([...removed, player], this.candidates, this.#size);
  }

  #together(removed: readonly number[]): number[] {
    if (this.rule === undefined) return [...removed];
    const chosen: number[] = [];
    for (const player of [...removed].reverse()) {
      if (this.rule.reaches([...chosen, player], this.candidates, this.#size)) chosen.push(player);
    }
    return chosen;
  }

  /** Every choice has so many players: by counts, or by a cost that is the same for all candidates. */
  #sizeUnder(rule: PatternRule): number {
    const sizes = this.constraints.map(({ costs, amount, exact }) => {
      const [one, ...others] = new Set(this.candidates.map((player) => item(costs, player)));
      return exact
        ? amount
        : others.length > 0
          ? Number.NaN
          : Math.ceil((amount / (one ?? 0)) * (1 - rounding));
    });
    const size = this.count ?? Math.max(...sizes);
    const asked = `Searching: the blocks that stay are to keep their order (${rule}), and `;
    if (Number.isNaN(size)) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `${asked}the budget does not say how many go, since they cost differently. Ask for a number of blocks.`,
      );
    }
    if (rule.reaches([], this.candidates, size)) return size;
    const possible = Array.from({ length: this.candidates.length }, (_, at) => at + 1).filter((count) =>
      rule.reaches([], this.candidates, count),
    );
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `${asked}no ${size} of the ${this.candidates.length} candidates can go so. Numbers that can: ` +
        `${possible.join(", ") || "none"}. Ask for one of them, or name more candidates.`,
    );
  }
}

function reaches(constraint: Constraint, removed: readonly number[]): boolean {
  return sumOf(constraint, removed) >= constraint.amount * (1 - rounding);
}
