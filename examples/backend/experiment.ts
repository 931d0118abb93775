/** The experiment of this backend: which blocks go first, and what that costs. */
import type { Model } from "depthkit";
import type { Call } from "./jobs.ts";

export interface Experiment {
  /** How many blocks to remove. */
  count: number;
  /** What they are chosen on. */
  calibration: string[];
  /** What the loss is measured on: other text. */
  evaluation: string[];
}

export interface Outcome {
  removed: readonly string[];
  /** Mean loss per token, before and after. */
  loss: { whole: number; pruned: number };
}

export async function removeBlocks(
  model: Model,
  { count, calibration, evaluation }: Experiment,
  call: Call,
): Promise<Outcome> {
  await using corpus = await model.loadCorpus({ texts: calibration }, { sequences: 4, length: 64, ...call });
  const influence = await model.influence(corpus, { units: "block", metric: "cosine", ...call });
  const removed = influence.lowest(count);
  const options = { chunk: 128, ...call };
  const whole = await model.perplexity({ texts: evaluation }, options);
  const pruned = await model.without(removed).perplexity({ texts: evaluation }, options);
  return { removed, loss: { whole: whole.loss, pruned: pruned.loss } };
}
