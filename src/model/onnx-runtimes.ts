/** What can run an ONNX export: onnxruntime in an environment beside the worker's, or transformers.js in Node. */
export const onnxRuntimes = ["onnxruntime", "transformers.js"] as const;
/** One of {@link onnxRuntimes}. */
export type OnnxRuntime = (typeof onnxRuntimes)[number];
