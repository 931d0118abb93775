/** Choices at the same size that a search has to beat, with the same repair, the cheapest first. */
export const baselineNames = ["tail", "cosine", "span", "greedy"] as const;
/** A way to choose without a search: the sets that a pruning compares its own with. */
export type BaselineName = (typeof baselineNames)[number];

/** Baselines that look at no sets, and so can be where a search starts. */
export const startNames = ["span", "cosine"] as const satisfies readonly BaselineName[];

/** Published ways to choose and to repair, with the repair of their own. */
export const pruneRecipeNames = [
  "ghosted-span",
  "ghosted-sleb",
  "replaceme",
  "replaceme-cosine",
  "linearpatch",
  "prune-comp",
  "partial-tail",
] as const;
/** A published way to choose and to repair, as one contender of a pruning. */
export type PruneRecipeName = (typeof pruneRecipeNames)[number];

/** Sets of units that are compared: what is named above, and what the search under repair finds. */
export const contenderNames = [...baselineNames, ...pruneRecipeNames, "search"] as const;
/** A set that a pruning compares: a baseline, a published recipe, or what the search found. */
export type ContenderName = (typeof contenderNames)[number];

/** Whether a contender removes blocks, whatever may go. */
export const takesBlocks = (name: ContenderName): boolean => name === "span" || isRecipe(name);

export const isRecipe = (name: ContenderName): name is PruneRecipeName =>
  pruneRecipeNames.some((recipe) => recipe === name);
