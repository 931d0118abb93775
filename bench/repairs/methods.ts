import type { RepairOptions, TrainingOptions } from "../../src/index.ts";

export interface Method {
  /** Its row in the table. */
  name: string;
  options: RepairOptions;
}

/** Dense reference, nothing trained: one pass over the corpus each. */
export const closedForm: readonly Method[] = [
  { name: "emulated-update", options: { method: "emulated-update" } },
  { name: "fold", options: { method: "fold" } },
  { name: "patch", options: { method: "patch" } },
  { name: "scale", options: { method: "scale" } },
  { name: "low-rank 8", options: { method: "low-rank", rank: 8 } },
  { name: "low-rank 32", options: { method: "low-rank", rank: 32 } },
  { name: "low-rank 128", options: { method: "low-rank", rank: 128 } },
];

/** A pass for every gap. */
export const prunedReference: readonly Method[] = [
  { name: "fold, pruned reference", options: { method: "fold", reference: "pruned" } },
  { name: "low-rank 32, pruned reference", options: { method: "low-rank", rank: 32, reference: "pruned" } },
];

/**
 * By gradient, towards the dense model's logits: one of each kind, and the other ranks. What `training` does
 * not set is left at its default.
 */
export function trained(training: TrainingOptions): [Method[], Method[]] {
  const lowRank = (rank: number): Method => ({
    name: `low-rank ${rank}, trained`,
    options: { method: "low-rank", rank, training },
  });
  const oneOfEach: Method[] = [
    { name: "bias, trained", options: { method: "bias", training } },
    lowRank(32),
    { name: "patch, trained", options: { method: "patch", training } },
    { name: "replacement-block, trained", options: { method: "replacement-block", training } },
    { name: "lora", options: { method: "lora", training } },
  ];
  return [oneOfEach, [lowRank(8), lowRank(128)]];
}
