import { checkpointRuntimes } from "../protocol/names.ts";

/** What can run an ONNX export: one in an environment beside the worker's, the other in Node. */
const onnxRuntimes = ["onnxruntime", "transformers.js"] as const;
/** What can run an export of which there is a choice: a checkpoint's first, then an ONNX export's. */
export const exportRuntimes = [...checkpointRuntimes, ...onnxRuntimes] as const;
/** One of {@link exportRuntimes}. */
export type ExportRuntime = (typeof exportRuntimes)[number];
