/** What can be added to the worker's environment, or, as `onnx`, has one of its own beside it. */
export const extraNames = [
  "lm-eval",
  "parquet",
  "ray",
  "mlx",
  "bitsandbytes",
  "compressed-tensors",
  "onnx",
] as const;
/** An extra that `setup` installs beside what a worker needs. */
export type ExtraName = (typeof extraNames)[number];
