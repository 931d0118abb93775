/** What can be added to the worker's environment. */
export const extraNames = ["lm-eval", "parquet"] as const;
export type ExtraName = (typeof extraNames)[number];
