import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";

/** What a player is. */
export interface Part {
  /** Such as `attention`. */
  readonly kind: string;
  /** What it costs where it stays, by name: parameters, bytes, KV bytes per token, seconds. */
  readonly costs?: Readonly<Record<string, number>> | undefined;
}

/** Remove at least so much of a cost. */
export interface CostBudget {
  /** The name of one of the parts' costs. */
  readonly cost: string;
  /** Of `total`; this or `amount`. */
  readonly share?: number | undefined;
  /** In the cost's own unit; this or `share`. */
  readonly amount?: number | undefined;
  /** What `share` is of. Default: what all players of the kind cost together. */
  readonly total?: number | undefined;
  /** Only players of this kind go, and only their cost counts. Default: all players. */
  readonly kind?: string | undefined;
}

/**
 * How much goes: exactly so many players, exactly so many of each kind (of a kind that is not named none), or
 * at least so much of a cost; several costs may be asked for at once.
 */
export type Budget = number | Readonly<Record<string, number>> | CostBudget | readonly CostBudget[];

/** That the removed players' costs sum up to the amount: exactly where they are counts, else at least. */
export interface Constraint {
  /** What is counted, for messages. */
  readonly what: string;
  /** Of each player; 0 where it does not count. */
  readonly costs: readonly number[];
  readonly amount: number;
  readonly exact: boolean;
}

/** Parts by player; without `parts` a player's kind is what stands before the first dot of its label. */
export function partsOf<Player extends string>(
  players: readonly Player[],
  parts: Readonly<Record<string, Part>> | undefined,
): Part[] {
  const stranger = Object.keys(parts ?? {}).find((name) => !(players as readonly string[]).includes(name));
  if (stranger !== undefined) refuse(`\`parts\` describes "${stranger}", which is no player of the game`);
  return players.map((player) => {
    if (parts === undefined) return { kind: player.split(".", 1)[0] ?? player };
    const part = parts[player];
    return part ?? refuse(`\`parts\` does not describe "${player}"; describe every player`);
  });
}

export function constraintsOf(budget: Budget, parts: readonly Part[]): Constraint[] {
  if (typeof budget === "number") return [countOf("players", budget, parts, () => true)];
  if (Array.isArray(budget)) {
    if (budget.length === 0) refuse("the budget is an empty list; name at least one cost");
    return (budget as readonly CostBudget[]).map((one) => costOf(one, parts));
  }
  if (typeof (budget as CostBudget).cost === "string") return [costOf(budget as CostBudget, parts)];
  const counts = Object.entries(budget as Readonly<Record<string, number>>);
  if (counts.length === 0) refuse("the budget names no kind; say how many of which kind go");
  const kinds = new Set(parts.map(({ kind }) => kind));
  return counts.map(([kind, count]) => {
    if (!kinds.has(kind)) {
      refuse(`the budget names the kind "${kind}"; the players' kinds are ${[...kinds].join(", ")}`);
    }
    return countOf(`players of the kind ${kind}`, count, parts, (part) => part.kind === kind);
  });
}

function countOf(
  what: string,
  amount: number,
  parts: readonly Part[],
  counts: (part: Part) => boolean,
): Constraint {
  if (!Number.isInteger(amount) || amount < 0) {
    refuse(`the budget asks for ${amount} ${what}; ask for a whole number from 0 on`);
  }
  return { what, amount, costs: parts.map((part) => (counts(part) ? 1 : 0)), exact: true };
}

function costOf({ cost, share, amount, total, kind }: CostBudget, parts: readonly Part[]): Constraint {
  const ofKind = (part: Part) => kind === undefined || part.kind === kind;
  if (!parts.some(ofKind)) refuse(`the budget names the kind "${kind}", which no player has`);
  const costs = parts.map((part) => {
    if (!ofKind(part)) return 0;
    const found = part.costs?.[cost];
    if (found !== undefined && Number.isFinite(found) && found >= 0) return found;
    const known = Object.keys(part.costs ?? {}).join(", ") || "none";
    return refuse(
      `the budget is of the cost "${cost}", and a player of the kind ${part.kind} has ${found} of it; each ` +
        `needs a number from 0 on (its costs: ${known}). Describe the players in \`parts\``,
    );
  });
  if ((share === undefined) === (amount === undefined)) {
    refuse(`the budget of "${cost}" needs either a share or an amount, and not both`);
  }
  if (share !== undefined && !(share > 0 && share < 1)) {
    refuse(`the budget asks for the share ${share} of "${cost}"; a share is a number between 0 and 1`);
  }
  if (total !== undefined && !(share !== undefined && total > 0 && Number.isFinite(total))) {
    refuse(`the budget of "${cost}" has the total ${total}; it is a number above 0, and goes with a share`);
  }
  const whole = total ?? costs.reduce((sum, one) => sum + one, 0);
  const asked = amount ?? (share ?? Number.NaN) * whole;
  if (!(asked > 0 && Number.isFinite(asked))) {
    refuse(`the budget asks to remove ${asked} of "${cost}"; ask for a number above 0`);
  }
  return { what: `of the cost ${cost}`, costs, amount: asked, exact: false };
}

/** What the removed players cost under a constraint. */
export function sumOf({ costs }: Constraint, removed: readonly number[]): number {
  return removed.reduce((sum, player) => sum + item(costs, player), 0);
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Searching: ${why}.`);
}
