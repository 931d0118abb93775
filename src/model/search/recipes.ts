import { DepthkitError } from "../../errors.ts";
import type { UnitKind } from "../../protocol/common.ts";
import type { Measure } from "../../protocol/subnetworks.ts";
import type { Budget } from "../../selection/budget.ts";
import type { StrategyChoice } from "../../selection/strategy-choice.ts";
import type { InfluenceScoreName } from "./names.ts";

/** A published way to choose, as settings of a search. */
export interface Recipe {
  /** Where it comes from; null for what has no paper of its own. */
  readonly paper: string | null;
  readonly arXiv: string | null;
  /** The kinds of unit that may go. */
  readonly kinds: readonly UnitKind[];
  /**
   * `angular-span` and `cosine-span`: the run of blocks whose ends are nearest by angle or cosine on `fit`.
   */
  readonly strategy: StrategyChoice | "angular-span" | "cosine-span";
  readonly scores?: InfluenceScoreName;
  readonly value?: Measure;
  /** From each kind as many as the budget's count says. */
  readonly countEachKind?: boolean;
  /** Blocks at the bottom and at the top that stay. */
  readonly protectedEnds?: readonly [bottom: number, top: number];
}

const sublayers = ["attention", "feed-forward"] as const;

/**
 * Published ways to choose: what a search is compared with. Each is the choice alone, on the calibration text
 * that it is given; docs/search.md says where one differs from its paper.
 */
export const recipes = {
  tail: { paper: null, arXiv: null, kinds: ["block"], strategy: "tail" },
  random: { paper: null, arXiv: null, kinds: ["block"], strategy: "random" },
  shortgpt: {
    paper: "ShortGPT",
    arXiv: "2403.03853",
    kinds: ["block"],
    strategy: "lowest",
    scores: "cosine",
  },
  "deeper-layers": {
    paper: "The Unreasonable Ineffectiveness of the Deeper Layers",
    arXiv: "2403.17887",
    kinds: ["block"],
    strategy: "angular-span",
  },
  "shortened-llama": {
    paper: "Shortened LLaMA, by perplexity",
    arXiv: "2402.02834",
    kinds: ["block"],
    strategy: "lowest",
  },
  "taylor+": {
    paper: "Shortened LLaMA, by gradients",
    arXiv: "2402.02834",
    kinds: ["block"],
    strategy: "lowest",
    scores: "taylor",
    protectedEnds: [4, 2],
  },
  "llm-streamline": {
    paper: "LLM-Streamline, its choice",
    arXiv: "2403.19135",
    kinds: ["block"],
    strategy: "cosine-span",
  },
  lorp: {
    paper: "LoRP",
    arXiv: "2605.27786",
    kinds: ["block"],
    strategy: "clusters",
    protectedEnds: [1, 1],
  },
  sleb: {
    paper: "SLEB",
    arXiv: "2402.09025",
    kinds: ["block"],
    strategy: "greedy",
    value: "loss",
  },
  blockpruner: {
    paper: "BlockPruner",
    arXiv: "2406.10594",
    kinds: sublayers,
    strategy: "greedy",
    value: "loss",
  },
  evopress: {
    paper: "EvoPress",
    arXiv: "2410.14649",
    kinds: sublayers,
    strategy: { name: "evolutionary", parents: 1, offspring: 32 },
    value: "kl",
    countEachKind: true,
  },
  "policy-gradient": {
    paper: "Bypass Back-propagation",
    arXiv: "2406.10576",
    kinds: ["block"],
    strategy: "policy-gradient",
    value: "loss",
  },
  tale: {
    paper: "TALE",
    arXiv: "2510.22767",
    kinds: ["block"],
    strategy: "greedy",
    value: "accuracy",
  },
  xmerge: {
    paper: "XMerge, its rule of choice",
    arXiv: "2609.02083",
    kinds: ["block"],
    strategy: "lowest",
    scores: "xmerge",
  },
} as const satisfies Readonly<Record<string, Recipe>>;

/** A published recipe of a search, by its name. */
export type RecipeName = keyof typeof recipes;
/** Names of all recipes. */
export const recipeNames = Object.keys(recipes) as RecipeName[];

/** Recipes that choose without looking at sets, so that a search can start from them. */
export const startRecipes = [
  "tail",
  "random",
  "shortgpt",
  "deeper-layers",
  "taylor+",
  "llm-streamline",
  "lorp",
  "xmerge",
] as const satisfies readonly RecipeName[];
/** A recipe that chooses without looking at sets. */
export type StartRecipe = (typeof startRecipes)[number];

export function budgetOf(name: RecipeName, budget: Budget): Budget {
  const { kinds, countEachKind = false }: Recipe = recipes[name];
  if (!countEachKind) return budget;
  if (typeof budget === "number") return Object.fromEntries(kinds.map((kind) => [kind, budget]));
  if (!("cost" in budget) && !Array.isArray(budget)) return budget;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Searching by the recipe "${name}": it removes as many of each kind (${kinds.join(", ")}); give a ` +
      "count, or use the strategy by itself.",
  );
}
