/** What can be added to the worker's environment. */
export const extraNames = ["lm-eval", "parquet", "ray"] as const;
/** An extra that `setup` installs beside what a worker needs. */
export type ExtraName = (typeof extraNames)[number];
