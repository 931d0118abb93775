/**
 * The method table: every call the worker answers, with its params and result. The worker refuses to
 * start when one of them has no handler.
 */
import type { z } from "zod";
import { empty } from "./common.ts";
import {
  corpusLoadParams,
  corpusLoadResult,
  corpusOverlap,
  corpusOverlapParams,
  corpusUnloadParams,
  corpusWriteParams,
} from "./corpus.ts";
import { environmentReadResult } from "./environment.ts";
import {
  choicesResult,
  evaluationChoicesParams,
  evaluationLastWordParams,
  evaluationPerplexityParams,
  lastWordResult,
  perplexityResult,
} from "./evaluation.ts";
import {
  exportCanExportParams,
  exportCanExportResult,
  exportHuggingfaceParams,
  exportHuggingfaceResult,
  exportLimitsParams,
  exportLimitsResult,
} from "./export.ts";
import { exportCheckParams, exportCheckResult } from "./export-check.ts";
import { exportGgufParams, exportGgufResult } from "./export-gguf.ts";
import { exportOnnxParams, exportOnnxResult } from "./export-onnx.ts";
import {
  filesDigestParams,
  filesDigestResult,
  filesListParams,
  filesListResult,
  filesReadParams,
  filesReadResult,
} from "./files.ts";
import { gatesLearnParams, gatesLearnResult } from "./gates.ts";
import { generationGenerateParams, generationGenerateResult, generationPart } from "./generation.ts";
import {
  generationLoadTaskParams,
  generationLoadTaskResult,
  generationSolveParams,
  generationSolveResult,
  generationUnloadTaskParams,
} from "./generation-task.ts";
import { harnessRunParams, harnessRunResult } from "./harness.ts";
import { hubPushParams, hubPushResult } from "./hub.ts";
import {
  influenceGradientParams,
  influenceGradientResult,
  influenceMeasureParams,
  influenceMeasureResult,
  influenceStreamParams,
  influenceStreamResult,
} from "./influence.ts";
import { itemValues } from "./item-values.ts";
import {
  modelLoadParams,
  modelLoadResult,
  modelTokenizerParams,
  modelUnloadParams,
  tokenizerInfo,
} from "./model.ts";
import { policiesMeasureParams, policiesMeasureResult } from "./policies.ts";
import {
  profilingProfileParams,
  profilingProfileResult,
  profilingUnitCostsParams,
  profilingUnitCostsResult,
} from "./profiling.ts";
import {
  repairFitParams,
  repairFitResult,
  repairLoadParams,
  repairLoadResult,
  repairSaveParams,
  repairSaveResult,
  repairUnloadParams,
  trainingPoint,
} from "./repair.ts";
import { promptFeatures, routingPromptsParams, routingReadParams } from "./routing.ts";
import {
  subnetworksEvaluateParams,
  subnetworksEvaluatePart,
  subnetworksEvaluateResult,
  subnetworksSplitParams,
  subnetworksSplitResult,
} from "./subnetworks.ts";
import { taskLoadParams, taskLoadResult, taskUnloadParams } from "./task.ts";
import {
  workerCheckTargetParams,
  workerPingParams,
  workerPingResult,
  workerSleepParams,
  workerSleepResult,
  workerStatusResult,
} from "./worker.ts";

export const methods = {
  "worker.ping": { params: workerPingParams, result: workerPingResult },
  "worker.sleep": { params: workerSleepParams, result: workerSleepResult },
  "worker.checkTarget": { params: workerCheckTargetParams, result: empty },
  "environment.read": { params: empty, result: environmentReadResult },
  "worker.status": { params: empty, result: workerStatusResult },
  "model.load": { params: modelLoadParams, result: modelLoadResult },
  "model.tokenizer": { params: modelTokenizerParams, result: tokenizerInfo },
  "model.unload": { params: modelUnloadParams, result: empty },
  "corpus.load": { params: corpusLoadParams, result: corpusLoadResult },
  // The values of a sequence are the ids written.
  "corpus.write": { params: corpusWriteParams, part: itemValues, result: corpusLoadResult },
  "corpus.overlap": { params: corpusOverlapParams, result: corpusOverlap },
  "corpus.unload": { params: corpusUnloadParams, result: empty },
  "task.load": { params: taskLoadParams, result: taskLoadResult },
  "task.unload": { params: taskUnloadParams, result: empty },
  "subnetworks.evaluate": {
    params: subnetworksEvaluateParams,
    part: subnetworksEvaluatePart,
    result: subnetworksEvaluateResult,
  },
  "subnetworks.split": { params: subnetworksSplitParams, result: subnetworksSplitResult },
  "influence.measure": { params: influenceMeasureParams, result: influenceMeasureResult },
  "influence.gradients": { params: influenceGradientParams, result: influenceGradientResult },
  "influence.stream": { params: influenceStreamParams, result: influenceStreamResult },
  "gates.learn": { params: gatesLearnParams, result: gatesLearnResult },
  "routing.read": { params: routingReadParams, result: promptFeatures },
  "routing.prompts": { params: routingPromptsParams, result: promptFeatures },
  // An item is a chunk; its value the summed loss.
  "evaluation.perplexity": { params: evaluationPerplexityParams, part: itemValues, result: perplexityResult },
  // The values of a question are the log-likelihoods of its choices.
  "evaluation.choices": { params: evaluationChoicesParams, part: itemValues, result: choicesResult },
  // The target's log-likelihood, and 1 where every token of it is the likeliest.
  "evaluation.lastWord": { params: evaluationLastWordParams, part: itemValues, result: lastWordResult },
  "repair.fit": { params: repairFitParams, part: trainingPoint, result: repairFitResult },
  "repair.save": { params: repairSaveParams, result: repairSaveResult },
  "repair.load": { params: repairLoadParams, result: repairLoadResult },
  "repair.unload": { params: repairUnloadParams, result: empty },
  "policies.measure": { params: policiesMeasureParams, result: policiesMeasureResult },
  "profiling.profile": { params: profilingProfileParams, result: profilingProfileResult },
  "profiling.unitCosts": { params: profilingUnitCostsParams, result: profilingUnitCostsResult },
  "generation.generate": {
    params: generationGenerateParams,
    part: generationPart,
    result: generationGenerateResult,
  },
  "generation.loadTask": { params: generationLoadTaskParams, result: generationLoadTaskResult },
  "generation.unloadTask": { params: generationUnloadTaskParams, result: empty },
  // The values of an item are the ids written.
  "generation.solve": { params: generationSolveParams, part: itemValues, result: generationSolveResult },
  "harness.run": { params: harnessRunParams, result: harnessRunResult },
  "export.huggingface": { params: exportHuggingfaceParams, result: exportHuggingfaceResult },
  "export.gguf": { params: exportGgufParams, result: exportGgufResult },
  "export.onnx": { params: exportOnnxParams, result: exportOnnxResult },
  "export.canExport": { params: exportCanExportParams, result: exportCanExportResult },
  "export.limits": { params: exportLimitsParams, result: exportLimitsResult },
  "export.check": { params: exportCheckParams, result: exportCheckResult },
  "hub.push": { params: hubPushParams, result: hubPushResult },
  "files.digest": { params: filesDigestParams, result: filesDigestResult },
  "files.list": { params: filesListParams, result: filesListResult },
  "files.read": { params: filesReadParams, result: filesReadResult },
} as const;

export type MethodName = keyof typeof methods;
export type Params<M extends MethodName> = z.input<(typeof methods)[M]["params"]>;
/** What a method that streams sends before its result. */
export type Part<M extends MethodName> = (typeof methods)[M] extends { part: infer P extends z.ZodType }
  ? z.output<P>
  : never;
export type Result<M extends MethodName> = z.output<(typeof methods)[M]["result"]>;
