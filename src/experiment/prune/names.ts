/** Choices at the same size that a search has to beat, the cheapest first. */
export const baselineNames = ["tail", "cosine", "greedy"] as const;
export type BaselineName = (typeof baselineNames)[number];

/** Sets of units that are compared: the baselines, and what the search under repair finds. */
export const contenderNames = [...baselineNames, "search"] as const;
export type ContenderName = (typeof contenderNames)[number];
