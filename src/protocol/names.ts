/**
 * The closed lists of names that the contract has, and how a measurement is seen where nothing is said. They
 * stand apart from the schemas made of them, so that the package's entry point has them without loading zod.
 */
export const unitKinds = ["block", "attention", "feed-forward"] as const;

/** Influence by movement of the residual stream. */
export const influenceMetrics = ["cosine", "l1", "l2", "relative-l1", "relative-l2"] as const;

/** Influence by gradients. */
export const gradientMetrics = ["taylor", "gate"] as const;

/** Looked at as `sublayers`, both kinds of them are ranked together. */
export const rankedUnits = [...unitKinds, "sublayers"] as const;

/** How an influence is seen by default. */
export const influenceDefaults = { units: "block", metric: "cosine" } as const;

/** What is measured of subnetworks; docs/engine.md says what each is. */
export const measures = ["loss", "kl", "logit-distance", "accuracy", "choice-loss"] as const;

/** How exactly subnetworks are measured: docs/engine.md. */
export const precisions = ["exact", "screen"] as const;

/** Measures of which less is better: as the value of a game they enter negated. */
export const lowerIsBetter: ReadonlySet<string> = new Set(["loss", "kl", "logit-distance", "choice-loss"]);

/** Tasks whose rows and prompts are known: docs/tasks.md. */
export const taskFormats = [
  "mmlu",
  "arc_easy",
  "arc_challenge",
  "openbookqa",
  "piqa",
  "boolq",
  "hellaswag",
  "winogrande",
  "lambada",
] as const;

/** What loads a checkpoint; what loads other exports goes by their kind. */
export const checkpointRuntimes = ["transformers", "mlx-lm"] as const;
