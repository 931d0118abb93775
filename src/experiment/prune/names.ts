/** Choices at the same size that a search has to beat, with the same repair, the cheapest first. */
export const baselineNames = ["tail", "cosine", "greedy"] as const;
export type BaselineName = (typeof baselineNames)[number];

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
export type PruneRecipeName = (typeof pruneRecipeNames)[number];

/** Sets of units that are compared: what is named above, and what the search under repair finds. */
export const contenderNames = [...baselineNames, ...pruneRecipeNames, "search"] as const;
export type ContenderName = (typeof contenderNames)[number];

export const isRecipe = (name: ContenderName): name is PruneRecipeName =>
  pruneRecipeNames.some((recipe) => recipe === name);
