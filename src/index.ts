/** depthkit: take Hugging Face LLMs apart along their depth. */
export {
  compareRepairs,
  doctor,
  listenWorker,
  makeKeys,
  planPrune,
  planStudy,
  prune,
  pythonReference,
  runPlan,
  setup,
} from "./calls.ts";
export type { DoctorOptions } from "./doctor/doctor.ts";
export type { DoctorReport } from "./doctor/doctor-report.ts";
export { type ExtraName, extraNames } from "./environment/extra-names.ts";
export type { SetupOptions, SetupResult } from "./environment/setup.ts";
export type { SetupProgress } from "./environment/setup-progress.ts";
export { type TorchChoice, torchChoices } from "./environment/torch-names.ts";
export {
  DepthkitError,
  type DepthkitErrorOptions,
  type ErrorCode,
  type ErrorDetails,
  errorCodes,
  isErrorCode,
} from "./errors.ts";
export { compareEvaluations, type EvaluationDifference } from "./evaluation/compare-evaluations.ts";
export type {
  EvaluateOptions,
  Evaluation,
  EvaluationResult,
  EvaluationResults,
} from "./evaluation/evaluate.ts";
export type {
  SubnetworkEvaluation,
  SubnetworkScore,
  SubnetworkScores,
} from "./evaluation/evaluate-subnetworks.ts";
export type { ChunkItem, Perplexity, PerplexityOptions } from "./evaluation/perplexity.ts";
export type {
  ChoiceItem,
  ChoiceScores,
  ChoicesOptions,
  LastWordItem,
  LastWordOptions,
  LastWordScores,
} from "./evaluation/task-scores.ts";
export type { TextData } from "./evaluation/text-data.ts";
export type { SolveOptions } from "./evaluation/written-answers.ts";
export type {
  CompareRepairsOptions,
  NamedRepair,
  RepairComparison,
  RepairRow,
  Scores,
} from "./experiment/compare-repairs.ts";
export {
  type Probe,
  type ProbeName,
  type ProbeOptions,
  type ProbeRow,
  probe,
  probeNames,
} from "./experiment/probes.ts";
export {
  type BaselineName,
  baselineNames,
  type ContenderName,
  type PruneRecipeName,
  pruneRecipeNames,
} from "./experiment/prune/names.ts";
export type {
  PruneEvaluations,
  PruneEvent,
  PruneExport,
  PruneOptions,
} from "./experiment/prune/options.ts";
export { type PruneRecipe, pruneRecipes } from "./experiment/prune/recipes.ts";
export type { PruneContender, PrunePlan, PruneRecord } from "./experiment/prune/record.ts";
export { type RankedFile, readRanking } from "./experiment/ranking-file.ts";
export {
  type ComparedRow,
  compareStudies,
  type ProtocolDifference,
  type StudyComparison,
} from "./experiment/study/compare.ts";
export type { PlanStudyOptions } from "./experiment/study/cost/plan-study.ts";
export type { StudyCost } from "./experiment/study/cost/schema.ts";
export { definePlan } from "./experiment/study/define-plan.ts";
export { type PaperPlanOptions, paperPlan } from "./experiment/study/paper.ts";
export type { Plan } from "./experiment/study/plan.ts";
export type { StudyRecord } from "./experiment/study/record.ts";
export { type StudyRow, studyRows } from "./experiment/study/rows.ts";
export type { RunOptions } from "./experiment/study/run.ts";
export type { StudyEvent } from "./experiment/study/steps.ts";
export {
  compareScores,
  type MeasureRemoval,
  measureRemovalCosts,
  type RemovalCost,
  type RemovalCostOptions,
  type RemovalCosts,
  type TradeOffs,
  type UnitOrder,
  type UnitScores,
} from "./experiment/trade-offs.ts";
export type { ValueDefinition } from "./game/unit-game.ts";
export { Journal, type JournalOptions } from "./journal/game-journal.ts";
export type { CheckExportOptions, ExportCheck } from "./model/check-export.ts";
export type {
  ComparedPolicy,
  ComparePolicyOptions,
  LossDifference,
  PolicyComparison,
} from "./model/compare-policy.ts";
export type { Corpus, LoadCorpusOptions } from "./model/corpus.ts";
export {
  type CheckTargetOptions,
  Depthkit,
  type KitWorker,
  type PoolOptions,
  type StartOptions,
} from "./model/depthkit.ts";
export type {
  AnyExportInfo,
  CanExportOptions,
  Exported,
  ExportOptions,
  GgufExport,
  HuggingfaceExport,
  OnnxExport,
} from "./model/export.ts";
export { type ExportRuntime, exportRuntimes } from "./model/export-runtimes.ts";
export type { FetchedFolder } from "./model/fetch.ts";
export type { GenerateOptions, WrittenText } from "./model/generate.ts";
export type { GenerationTask, LoadGenerationTaskOptions } from "./model/generation-task.ts";
export {
  GradientInfluence,
  type GradientInfluenceData,
  type GradientInfluenceOptions,
  type GradientTable,
} from "./model/gradient-influence.ts";
export type { LmEvalOptions } from "./model/harness.ts";
export {
  Influence,
  type InfluenceData,
  type InfluenceOptions,
  type InfluenceTable,
  type RankedUnit,
} from "./model/influence.ts";
export type { KitOptions } from "./model/kit-options.ts";
export type {
  EvaluateSubnetworksOptions,
  LoadModelOptions,
  Model,
  RepairedSubnetwork,
  SaveOptions,
  Subnetwork,
} from "./model/model.ts";
export type { ModelGame, ModelGameOptions, PlayerName, Players, UnitGroup } from "./model/model-game.ts";
export type { PolicyMeasureOptions, PolicyMeasures, PolicySubnetwork } from "./model/policy.ts";
export type { Profile, ProfileOptions } from "./model/profile.ts";
export type { PushOptions } from "./model/push.ts";
export type { ConnectOptions } from "./model/remote-line.ts";
export type {
  Repair,
  RepairMethodOptions,
  RepairOptions,
  RepairReference,
  TrainingOptions,
} from "./model/repair.ts";
export type { MeanLoss, RouteMask, RoutesReport } from "./model/routes/content.ts";
export type { RoutedText, RoutedTexts } from "./model/routes/generate.ts";
export type { RoutesOptions, RoutesSplit } from "./model/routes/options.ts";
export type { RoutePrompt } from "./model/routes/prompts.ts";
export type {
  EvaluateRoutesOptions,
  Route,
  RouteOptions,
  Routes,
  RoutesEvaluation,
} from "./model/routes/routes.ts";
export type {
  DrawnMethod,
  DrawResult,
  MethodDraws,
  SearchDraws,
  SearchDrawsOptions,
} from "./model/search/draws.ts";
export type { Exportable, ExportableInto } from "./model/search/exportable.ts";
export type { GapRepairOptions, GapRepairs } from "./model/search/gap-repairs.ts";
export type { InfluenceScores } from "./model/search/influence-scores.ts";
export type { LearnedGatesChoice } from "./model/search/learned-gates.ts";
export {
  type CostName,
  costNames,
  type InfluenceScoreName,
  influenceScoreNames,
  type ModelStrategyName,
  modelStrategies,
} from "./model/search/names.ts";
export type { ModelSearchOptions } from "./model/search/options.ts";
export {
  type Recipe,
  type RecipeName,
  recipeNames,
  recipes,
  type StartRecipe,
  startRecipes,
} from "./model/search/recipes.ts";
export type { ModelSearch } from "./model/search/search.ts";
export type { SplitTextOptions, TextParts } from "./model/search/text-parts.ts";
export type { UnitCost, UnitCosts, UnitCostsOptions } from "./model/search/unit-costs.ts";
export type { PartResult } from "./model/search/worth.ts";
export { proposeSkipWindow, type SkipWindow } from "./model/skip-window.ts";
export type { AtBoundaries, StreamMeasureOptions, StreamMeasures } from "./model/stream.ts";
export type { LoadTaskOptions, Task, TaskTemplate } from "./model/task.ts";
export type { TaskData } from "./model/task-data.ts";
export type { WriteCorpusOptions } from "./model/written-corpus.ts";
export { packageVersion } from "./platform/package-root.ts";
export type { Progress } from "./progress.ts";
export type {
  BosPolicy,
  DataInfo,
  FiniteOrInfinity,
  FirstToken,
  UnitKind,
  UnitName,
} from "./protocol/common.ts";
export type { CorpusInfo } from "./protocol/corpus.ts";
export type { WorkerEnvironment } from "./protocol/environment.ts";
export type { Agreement, Rate } from "./protocol/evaluation.ts";
export type { CanExport, ExportFormat, ExportInfo, ExportProvenance } from "./protocol/export.ts";
export type { RuntimeCheck } from "./protocol/export-check.ts";
export type { GgufInfo } from "./protocol/export-gguf.ts";
export type { OnnxInfo } from "./protocol/export-onnx.ts";
export type { GenerateResult, Generation } from "./protocol/generation.ts";
export type {
  GenerationAnswer,
  GenerationScore,
  GenerationScoreRule,
  GenerationTaskInfo,
} from "./protocol/generation-task.ts";
export type { HarnessMetric, HarnessResult, HarnessTask } from "./protocol/harness.ts";
export type { HubPush } from "./protocol/hub.ts";
export type { GradientMetric, InfluenceMetric, RankedUnits } from "./protocol/influence.ts";
export type { ModelInfo, ModelPattern, Quantisation } from "./protocol/model.ts";
export {
  gradientMetrics,
  influenceMetrics,
  measures,
  precisions,
  taskFormats,
  unitKinds,
} from "./protocol/names.ts";
export type { Policy, PolicyOptions, Skips } from "./protocol/policies.ts";
export type { ModelProfile, ProfileMode, Speed, Spread } from "./protocol/profiling.ts";
export type { RepairInfo, RepairReport, TrainingPoint } from "./protocol/repair.ts";
export type { Measure, Precision, WorkSplit } from "./protocol/subnetworks.ts";
export type { TaskFormat, TaskInfo } from "./protocol/task.ts";
export { checkUnits, parseUnit, type Unit } from "./protocol/units.ts";
export type { WorkerStatus } from "./protocol/worker.ts";
export type { Router } from "./routing/router.ts";
export type { RoutingWorth, WayWorth } from "./routing/worth.ts";
export type { CallOptions } from "./rpc/call-options.ts";
export type { KitEvent, Logger, WorkerEnd } from "./rpc/events.ts";
export type { RestartLimit } from "./rpc/member.ts";
export type { ArchivedSet } from "./selection/archive.ts";
export type { Budget, CostBudget, Part } from "./selection/budget.ts";
export {
  type ChoiceCertainty,
  type ChoiceDraws,
  choiceCertainty,
  type PlayerCertainty,
} from "./selection/choice-certainty.ts";
export { type ChoiceComparison, type ChoiceResults, compareChoices } from "./selection/compare-choices.ts";
export { searchGame } from "./selection/index.ts";
export type { Fidelity, SearchOptions, SearchProgress } from "./selection/options.ts";
export { type BlockPattern, keepsPattern, nearestKeepingPattern } from "./selection/pattern.ts";
export type { FinalistsResult, SearchResult, TraceStep } from "./selection/result.ts";
export type { MeasureScores, NamedScores, Scores as PlayerScores } from "./selection/scores.ts";
export type { Span } from "./selection/span.ts";
export { type StrategyChoice, type StrategyName, strategies } from "./selection/strategy-choice.ts";
export type { LinkChange } from "./transport/link.ts";
export type { ClusterOptions } from "./worker/cluster.ts";
export type { MadeKeys, MakeKeysOptions } from "./worker/keys.ts";
export type { ListeningWorker, ListenOptions } from "./worker/listen.ts";
