import { groupBy, item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { least } from "./router.ts";

/** What masks did on sequences of held-out text, or on questions, and which a way to route took. */
export interface RoutedTable {
  /** A row per sequence, a column per mask. */
  readonly values: readonly (readonly number[])[];
  /** Of each sequence the number of its domain; all 0 where domains are not known. */
  readonly domains: readonly number[];
  /** Of each sequence the mask that the router took. */
  readonly routes: readonly number[];
  /** The best single mask, as the text that the router learned on says. */
  readonly single: number;
  readonly lowerIsBetter: boolean;
}

/** What a way to choose masks is worth. */
export interface WayWorth {
  /** The measure's mean over sequences, domains counting alike. */
  readonly value: number;
  readonly standardError: number;
  /** By how much it is better than the best single mask, sequence by sequence; below 0: worse. */
  readonly gain: number;
  readonly gainStandardError: number;
  /** Whether the gain is two standard errors or more, and above 0. */
  readonly gains: boolean;
}

/** What routing is worth beside one subnetwork for all. */
export interface RoutingWorth {
  /** The same mask for all: the one that was best on the text that the router learned on. */
  readonly single: WayWorth;
  /** By the prompt. */
  readonly router: WayWorth;
  /** Each sequence by the mask of its own domain; null where domains are not known. */
  readonly byDomain: WayWorth | null;
  /** Each sequence by its best mask, which is known afterwards alone: no router does better. */
  readonly oracle: WayWorth;
  /** All of this in words. */
  readonly sentence: string;
}

/** Two standard errors. */
const enough = 2;

/**
 * What routing is worth beside one mask for all: differences are taken by the sequence, and errors are those
 * of a mean over domains, each with its own spread.
 */
export function routingWorth(table: RoutedTable, knownDomains: boolean): RoutingWorth {
  const { values, domains, routes, single, lowerIsBetter } = table;
  const best = (row: readonly number[]) => least(lowerIsBetter ? row : row.map((value) => -value));
  const way = (choose: (row: readonly number[], sequence: number) => number): WayWorth => {
    const taken = values.map((row, sequence) => item(row, choose(row, sequence)));
    const gained = taken.map((value, sequence) => {
      const other = item(item(values, sequence), single);
      return lowerIsBetter ? other - value : value - other;
    });
    const { mean: value, standardError } = meanOverDomains(taken, domains);
    const { mean: gain, standardError: gainStandardError } = meanOverDomains(gained, domains);
    return {
      value,
      standardError,
      gain,
      gainStandardError,
      gains: gain > 0 && isClear({ gain, gainStandardError }),
    };
  };
  const ways = {
    single: way(() => single),
    router: way((_, sequence) => item(routes, sequence)),
    byDomain: knownDomains ? way((_, sequence) => item(domains, sequence)) : null,
    oracle: way(best),
  };
  return { ...ways, sentence: inWords(ways, values.length) };
}

/** The mean of each domain's mean, and the root of what its parts' errors add up to. */
export function meanOverDomains(
  numbers: readonly number[],
  domains: readonly number[],
): { readonly mean: number; readonly standardError: number } {
  const groups = [...groupBy(numbers.keys(), (at) => item(domains, at)).values()];
  const parts = groups.map((places) => {
    const own = places.map((at) => item(numbers, at));
    if (own.length < 2) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Judging routes: a domain has ${own.length} sequence; an error needs two or more of each.`,
      );
    }
    const mean = own.reduce((sum, number) => sum + number, 0) / own.length;
    const squares = own.reduce((sum, number) => sum + (number - mean) ** 2, 0);
    return { mean, variance: squares / (own.length - 1) / own.length };
  });
  const count = parts.length;
  return {
    mean: parts.reduce((sum, { mean }) => sum + mean, 0) / count,
    standardError: Math.sqrt(parts.reduce((sum, { variance }) => sum + variance, 0)) / count,
  };
}

function inWords(
  { router, byDomain, oracle }: Omit<RoutingWorth, "sentence" | "single">,
  sequences: number,
): string {
  const number = (x: number) => Number(x.toPrecision(3)).toString();
  const told = (one: WayWorth) =>
    `${one.gain < 0 ? "loses" : "gains"} ${number(Math.abs(one.gain))} ` +
    `(standard error ${number(one.gainStandardError)}, ` +
    `${isClear(one) ? "two of them or more" : "less than two of them"})`;
  if (!oracle.gains) {
    return (
      `Over ${sequences} sequences even the oracle, which knows each sequence's best mask, ${told(oracle)} ` +
      "over the best single mask. One mask serves as well; leave routing out."
    );
  }
  const own = byDomain === null ? "" : ` Each domain's own mask ${told(byDomain)}.`;
  const serves = isClear(router) ? "better than" : "as well as";
  return (
    `Over ${sequences} sequences the router ${told(router)} beside the best single mask; the oracle, which ` +
    `knows each sequence's best mask afterwards, ${told(oracle)}.${own}` +
    `${router.gains ? "" : ` One mask serves ${serves} this router.`}`
  );
}

/** Whether a way differs from the single mask by two standard errors or more. */
function isClear({ gain, gainStandardError }: Pick<WayWorth, "gain" | "gainStandardError">): boolean {
  return gain !== 0 && Math.abs(gain) >= enough * gainStandardError;
}
