/**
 * The schemas that options, plans and records are checked against, with their defaults, limits and words: zod
 * objects, for forms, command lines and validation of one's own.
 */

export { pruneRecordSchema } from "./experiment/prune/record.ts";
export { studyCostSchema } from "./experiment/study/cost/schema.ts";
export { planSchema } from "./experiment/study/plan.ts";
export { recordSchema } from "./experiment/study/record.ts";
export { unitKind } from "./protocol/common.ts";
export { corpusOptions } from "./protocol/corpus.ts";
export { type ErrorDocument, errorDocument } from "./protocol/error-document.ts";
export { choicesOptions, lastWordOptions, perplexityOptions } from "./protocol/evaluation.ts";
export { exportFormats, exportOptions, exportProvenance, onnxDtypes } from "./protocol/export.ts";
export { exportReference } from "./protocol/export-check.ts";
export { ggufOptions } from "./protocol/export-gguf.ts";
export { onnxOptions } from "./protocol/export-onnx.ts";
export { generateOptions } from "./protocol/generation.ts";
export { generationTaskOptions, solveOptions } from "./protocol/generation-task.ts";
export { harnessOptions } from "./protocol/harness.ts";
export { hubPushOptions } from "./protocol/hub.ts";
export {
  influenceChoice,
  influenceGradientOptions,
  influenceOptions,
  influenceView,
} from "./protocol/influence.ts";
export { modelOptions } from "./protocol/model.ts";
export { profileOptions } from "./protocol/profiling.ts";
export {
  gapRepairMethods,
  repairFitOptions,
  repairMethod,
  repairSaveOptions,
  trainedMethods,
  trainingOptions,
} from "./protocol/repair.ts";
export { promptOptions } from "./protocol/routing.ts";
export { engineOptions, measure, measuresOf } from "./protocol/subnetworks.ts";
export { taskOptions, taskTemplate } from "./protocol/task.ts";
