/** depthkit: take Hugging Face LLMs apart along their depth. */
export type { CallOptions } from "./client/connection.ts";
export { Corpus, type LoadCorpusOptions } from "./client/corpus.ts";
export { Depthkit, type StartOptions } from "./client/depthkit.ts";
export type {
  EvaluateOptions,
  Evaluation,
  EvaluationResult,
  EvaluationResults,
} from "./client/evaluation.ts";
export {
  GenerationTask,
  type LoadGenerationTaskOptions,
  type SolveOptions,
} from "./client/generation-task.ts";
export type { LmEvalOptions } from "./client/harness.ts";
export {
  Influence,
  type InfluenceData,
  type InfluenceOptions,
  type InfluenceTable,
  type RankedUnit,
} from "./client/influence.ts";
export { type LoadModelOptions, Model } from "./client/model.ts";
export { ModelGame, type ModelGameOptions } from "./client/model-game.ts";
export type { PerplexityOptions } from "./client/perplexity.ts";
export type { Profile, ProfileOptions } from "./client/profile.ts";
export type {
  RepairMethodOptions,
  RepairOptions,
  RepairReference,
  TrainingOptions,
} from "./client/repair.ts";
export {
  type ExportOptions,
  type GenerateOptions,
  type GenerateResult,
  RepairedSubnetwork,
  type SaveOptions,
  Subnetwork,
} from "./client/subnetwork.ts";
export {
  type EvaluateSubnetworksOptions,
  SubnetworkEvaluation,
  type SubnetworkScore,
  type SubnetworkScores,
} from "./client/subnetwork-evaluation.ts";
export { type LoadTaskOptions, Task, type TaskTemplate } from "./client/task.ts";
export type {
  ChoiceItem,
  ChoiceScores,
  ChoicesOptions,
  LastWordItem,
  LastWordOptions,
  LastWordScores,
} from "./client/task-scores.ts";
export type { TextData } from "./client/text-data.ts";
export { checkUnits, parseUnit, type Unit } from "./client/units.ts";
export { type DoctorOptions, doctor } from "./doctor/doctor.ts";
export type { DoctorReport } from "./doctor/doctor-report.ts";
export { type ExtraName, extraNames } from "./environment/extras.ts";
export { pythonReference } from "./environment/python-reference.ts";
export { type SetupOptions, type SetupResult, setup } from "./environment/setup.ts";
export type { SetupProgress } from "./environment/setup-progress.ts";
export {
  DepthkitError,
  type DepthkitErrorOptions,
  type ErrorCode,
  errorCodes,
  isErrorCode,
} from "./errors.ts";
export {
  type CompareRepairsOptions,
  compareRepairs,
  type NamedRepair,
  type RepairComparison,
  type RepairRow,
  type Scores,
} from "./experiment/compare-repairs.ts";
export { type Plan, planSchema } from "./experiment/plan.ts";
export { type RunRecord, recordSchema } from "./experiment/record.ts";
export { type RunOptions, runPlan } from "./experiment/run.ts";
export {
  compareScores,
  type MeasureRemoval,
  measureRemovalCosts,
  type RemovalCost,
  type RemovalCostOptions,
  type RemovalCosts,
  type TradeOffs,
  type UnitScores,
} from "./experiment/trade-offs.ts";
export {
  CachedGame,
  Coalition,
  type FunctionGameOptions,
  type Game,
  gameFromFunction,
  Journal,
  type JournalOptions,
  type ValueDefinition,
} from "./game/index.ts";
export { formatBytes, formatCount, formatNumber, formatSeconds } from "./platform/format.ts";
export { packageVersion } from "./platform/package-root.ts";
export type { BosPolicy, DataInfo, Progress, UnitKind, UnitName } from "./protocol/common.ts";
export { unitKinds } from "./protocol/common.ts";
export type { CorpusInfo } from "./protocol/corpus.ts";
export type { Agreement, Perplexity, Rate } from "./protocol/evaluation.ts";
export type { ExportInfo } from "./protocol/export.ts";
export type { Generation } from "./protocol/generation.ts";
export type {
  GenerationAnswer,
  GenerationScore,
  GenerationScoreRule,
  GenerationTaskInfo,
} from "./protocol/generation-task.ts";
export type { HarnessMetric, HarnessResult, HarnessTask } from "./protocol/harness.ts";
export { type InfluenceMetric, influenceMetrics } from "./protocol/influence.ts";
export type { ModelInfo } from "./protocol/model.ts";
export type { ModelProfile, ProfileMode, Speed, Spread } from "./protocol/profiling.ts";
export type { RepairInfo, RepairReport, TrainingPoint } from "./protocol/repair.ts";
export { type Measure, measures } from "./protocol/subnetworks.ts";
export { type TaskFormat, type TaskInfo, taskFormats } from "./protocol/task.ts";
export type { Tensor } from "./protocol/tensor.ts";
export type { WorkerStatus } from "./protocol/worker.ts";
export { type Bar, renderBars } from "./report/bars.ts";
export { type Column, renderTable } from "./report/table.ts";
export { renderRemovalCosts, renderTradeOffs } from "./report/trade-offs.ts";
export type { Span } from "./selection/span.ts";
export {
  type Comparison,
  compareEstimates,
  type EstimateInfo,
  type EstimateOptions,
  estimateShapley,
  type Method,
  type PairEstimate,
  type PlayerEstimate,
  ShapleyEstimate,
  type Target,
  type TracePoint,
} from "./shapley/index.ts";
