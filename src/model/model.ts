/** A model and what is left of it without some units: two classes that make each other. */
import { existsSync } from "node:fs";
import type { z } from "zod";
import {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationResults,
  evaluate,
} from "../evaluation/evaluate.ts";
import {
  type EvaluateSubnetworksParams,
  evaluateSubnetworks,
  type SubnetworkEvaluation,
} from "../evaluation/evaluate-subnetworks.ts";
import { pathFor } from "../evaluation/paths.ts";
import { type Perplexity, type PerplexityOptions, scorePerplexity } from "../evaluation/perplexity.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import {
  type ChoiceScores,
  type ChoicesOptions,
  type LastWordOptions,
  type LastWordScores,
  scoreChoices,
  scoreLastWord,
} from "../evaluation/task-scores.ts";
import type { TextData } from "../evaluation/text-data.ts";
import { type SolveOptions, solveTask } from "../evaluation/written-answers.ts";
import { anInstance, anyOf, aText, checkArgument, either, listOf } from "../options.ts";
import type { UnitKind, UnitName } from "../protocol/common.ts";
import type { CanExport, ExportInfo } from "../protocol/export.ts";
import type { GgufInfo } from "../protocol/export-gguf.ts";
import type { OnnxInfo } from "../protocol/export-onnx.ts";
import type { GenerateResult } from "../protocol/generation.ts";
import type { GenerationScore } from "../protocol/generation-task.ts";
import type { HarnessResult } from "../protocol/harness.ts";
import type { Result } from "../protocol/methods.ts";
import type { ModelInfo, modelOptions, Screening } from "../protocol/model.ts";
import { unitKinds } from "../protocol/names.ts";
import type { PolicyOptions } from "../protocol/policies.ts";
import type { RepairReport, repairSaveOptions } from "../protocol/repair.ts";
import { checkPresent, checkUnits, unitsOf } from "../protocol/units.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { Handle } from "../rpc/handle.ts";
import { type Corpus, type LoadCorpusOptions, loadCorpus } from "./corpus.ts";
import {
  type AnyExportInfo,
  type CanExportOptions,
  canExport,
  type Exported,
  type ExportOptions,
  exportSubnetwork,
  type GgufExport,
  type HuggingfaceExport,
  type OnnxExport,
} from "./export.ts";
import { type GenerateOptions, generateText } from "./generate.ts";
import {
  type GenerationTask,
  type LoadGenerationTaskOptions,
  loadGenerationTask,
} from "./generation-task.ts";
import type { GradientInfluence, GradientInfluenceOptions } from "./gradient-influence.ts";
import { type LmEvalOptions, runLmEval } from "./harness.ts";
import type { Influence, InfluenceOptions } from "./influence.ts";
import { measureGradientInfluence } from "./measure-gradient-influence.ts";
import { byGradients, measureInfluence } from "./measure-influence.ts";
import {
  type ModelGame,
  type ModelGameOptions,
  modelGame,
  type PlayerName,
  type Players,
} from "./model-game.ts";
import { PolicySubnetwork } from "./policy.ts";
import { type Profile, type ProfileOptions, profileSubnetwork } from "./profile.ts";
import { fitRepair, heldRepairs, type Repair, type RepairOptions } from "./repair.ts";
import { loadRoutes } from "./routes/load.ts";
import { makeRoutes, type Routable } from "./routes/make.ts";
import type { RoutesOptions } from "./routes/options.ts";
import type { Routes } from "./routes/routes.ts";
import { type SearchDraws, type SearchDrawsOptions, searchDraws } from "./search/draws.ts";
import type { FitInfluence } from "./search/fit-influence.ts";
import { type GapRepairOptions, GapRepairs } from "./search/gap-repairs.ts";
import type { ModelSearchOptions } from "./search/options.ts";
import { type MakeSubnetwork, type ModelSearch, searchModel } from "./search/search.ts";
import { type SplitTextOptions, splitText, type TextParts } from "./search/text-parts.ts";
import { type UnitCosts, type UnitCostsOptions, unitCosts } from "./search/unit-costs.ts";
import { measureStream, type StreamMeasureOptions, type StreamMeasures } from "./stream.ts";
import { type LoadTaskOptions, loadTask, type Task } from "./task.ts";
import type { TaskData } from "./task-data.ts";
import { type WriteCorpusOptions, writeCorpus } from "./written-corpus.ts";

export interface LoadModelOptions extends CallOptions, z.input<typeof modelOptions> {}

export interface SaveOptions extends CallOptions, z.input<typeof repairSaveOptions> {}

/** What `evaluateSubnetworks` takes: measures, and how the worker computes them. */
export interface EvaluateSubnetworksOptions extends Omit<EvaluateSubnetworksParams, "repairs"> {
  /**
   * Repairs to put in place wherever their units are removed, such as those of emulated updates of many
   * units. Default: each subnetwork has its own.
   */
  repairs?: readonly Repair[] | undefined;
}

/**
 * A model with a set of units removed, and maybe repairs: an immutable value. It holds no weights of its own;
 * the worker gates the removed units while it works on it, and restores the model exactly.
 */
export class Subnetwork implements AsyncDisposable {
  /** The removed units, by depth. */
  readonly removed: readonly UnitName[];
  /** What stands in for removed units or heals the rest, in the order it was made. */
  readonly repairs: readonly Repair[];
  readonly #model: () => Model;

  /** @internal */
  constructor(model: () => Model, removed: readonly UnitName[], repairs: readonly Repair[]) {
    this.#model = model;
    this.removed = Object.freeze([...removed]);
    this.repairs = Object.freeze([...repairs]);
  }

  /** The model it is part of. */
  get model(): Model {
    return this.#model();
  }

  /** Numbers of the blocks of which at least one sublayer stays. */
  get keptBlocks(): number[] {
    const gone = new Set([...this.removed, ...this.model.info.absent]);
    return Array.from({ length: this.model.depth }, (_, block) => block).filter(
      (block) =>
        !gone.has(`block.${block}`) && !(gone.has(`attention.${block}`) && gone.has(`feed-forward.${block}`)),
    );
  }

  /**
   * A subnetwork without these units too, such as `block.7` or `attention.3`; its repairs stay, but for
   * changes of weights that go with the units (docs/repair.md). Nothing is computed yet.
   */
  without(units: readonly string[]): Subnetwork {
    checkArgument("without", "units", units, listOf(aText));
    const removed = checkUnits([...this.removed, ...units], this.model.depth);
    checkPresent(removed, this.model.info.absent);
    return new Subnetwork(this.#model, removed, this.repairs);
  }

  /**
   * Puts something cheap where units were removed, or heals the blocks that stay: a new subnetwork, with a
   * report of what was won. Repairs add up: an emulated update here, LoRA on top. docs/repair.md says what
   * each method computes and costs.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async repair(corpus: Corpus, options: RepairOptions): Promise<RepairedSubnetwork> {
    const { repairs, report } = await fitRepair(this.subject, corpus, options);
    return new RepairedSubnetwork(this.#model, this, repairs, report);
  }

  /**
   * The same subnetwork under a policy, which decides while it runs what each token skips
   * (docs/policies.md). Nothing is computed yet.
   *
   * @throws DepthkitError INVALID_ARGUMENT
   */
  withPolicy(policy: PolicyOptions): PolicySubnetwork {
    return new PolicySubnetwork(() => this.subject, policy);
  }

  /**
   * Saves the removed units and the repairs, in a folder that appears whole or not at all;
   * {@link Model.loadSubnetwork} reads it, for the same model. To save the model itself, see `export`.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, DISK_FULL
   */
  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    const { connection } = this.model;
    const subject = { ...subjectParams(this.subject), folder: pathFor(connection, folder) };
    await connection.request("repair.save", subject, options);
  }

  /**
   * Perplexity on a text. The result carries its protocol: data digest, chunk, stride, BOS, tokens.
   *
   * @throws DepthkitError NOT_ENOUGH_TEXT, FILE_NOT_FOUND, UNSUPPORTED_FORMAT, INVALID_ARGUMENT,
   * NOT_MEASURABLE, CANCELLED
   */
  async perplexity(data: TextData, options: PerplexityOptions = {}): Promise<Perplexity> {
    return scorePerplexity(this.subject, data, options);
  }

  /**
   * Accuracy on a multiple-choice task, with the choice loss, the probability on the choices, and on request
   * every item and where the whole model chooses otherwise.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async choices(task: Task, options: ChoicesOptions = {}): Promise<ChoiceScores> {
    return scoreChoices(this.subject, task, options);
  }

  /**
   * How often the likeliest word is a text's last one (LAMBADA), and its perplexity.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async lastWord(task: Task, options: LastWordOptions = {}): Promise<LastWordScores> {
    return scoreLastWord(this.subject, task, options);
  }

  /**
   * Continues each prompt. Removed attention has no KV cache.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CANCELLED
   */
  async generate(
    prompts: string | readonly string[],
    options: GenerateOptions = {},
  ): Promise<GenerateResult> {
    return generateText(this.subject, prompts, options);
  }

  /**
   * Writes an answer to every item of a task and counts the right ones.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED
   */
  async solve(task: GenerationTask, options: SolveOptions = {}): Promise<GenerationScore> {
    return solveTask(this.subject, task, options);
  }

  /**
   * Evaluates it in memory with EleutherAI's lm-evaluation-harness, by the harness's own rules. An extra:
   * `npx depthkit setup --with lm-eval` (docs/evaluation.md).
   *
   * @throws DepthkitError MODULE_MISSING, INVALID_ARGUMENT, FILE_NOT_FOUND, NETWORK, CANCELLED
   */
  async lmEval(options: LmEvalOptions): Promise<HarnessResult> {
    return runLmEval(this.subject, options);
  }

  /**
   * Several evaluations, one after the other. With a `journal`, each item (a chunk of text, a question, a
   * prompt) is kept as it is finished: what was cancelled or killed goes on from there, and what was scored
   * before is not scored again, as long as weights, removed units, repairs, data and options are the same.
   *
   * @throws DepthkitError what the evaluations by themselves throw
   */
  async evaluate<const E extends readonly Evaluation[]>(
    evaluations: E,
    options: EvaluateOptions = {},
  ): Promise<EvaluationResults<E>> {
    return evaluate(this.subject, evaluations, options);
  }

  /**
   * What its residual stream is like in front of every block and behind the last: variance and coding rate
   * (docs/methods.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async stream(corpus: Corpus, options: StreamMeasureOptions = {}): Promise<StreamMeasures> {
    return measureStream(this.subject, corpus, options);
  }

  /**
   * What it costs to store and to run on this device, against the whole model: both are timed in turn
   * (docs/evaluation.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, OUT_OF_MEMORY, CANCELLED
   */
  async profile(options: ProfileOptions = {}): Promise<Profile> {
    return profileSubnetwork(this.subject, options);
  }

  /**
   * Saves it as a checkpoint of its own: a folder, or with `format: "gguf"` a file, that appears whole or not
   * at all; with `format: "onnx"` a folder of graphs. With `check` it is loaded in the software that it is
   * for, beside the whole model.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, EXPORT_UNSUPPORTED, EXPORT_DIFFERS, FILE_NOT_FOUND (the base of a
   * GGUF), MODULE_MISSING (the environment of ONNX), DISK_FULL, CANCELLED
   */
  async export(folder: string, options: HuggingfaceExport): Promise<Exported<ExportInfo>>;
  async export(file: string, options: GgufExport): Promise<Exported<GgufInfo>>;
  async export(folder: string, options: OnnxExport): Promise<Exported<OnnxInfo>>;
  async export(path: string, options: ExportOptions): Promise<Exported<AnyExportInfo>>;
  async export(path: string, options: ExportOptions): Promise<Exported<AnyExportInfo>> {
    return exportSubnetwork(this.subject, path, options);
  }

  /**
   * Whether an export to a format can hold it, before any work: yes, or why not and the nearest subnetwork of
   * which it can. What `export` refuses is refused here, by the same code.
   *
   * @throws DepthkitError INVALID_ARGUMENT
   */
  async canExport(options: CanExportOptions): Promise<CanExport> {
    return canExport(this.subject, options);
  }

  /** Gives back what the worker holds for it alone: the repairs that it made. Others keep theirs. */
  async close(): Promise<void> {}

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  get subject(): Subject {
    const { connection, info, screening, handle } = this.model;
    return { connection, info, screening, handle, removed: this.removed, repairs: this.repairs };
  }
}

/** A subnetwork that {@link Subnetwork.repair} made. */
export class RepairedSubnetwork extends Subnetwork {
  /** What the repair was fitted on, what it won at each gap, and how training went. */
  readonly report: RepairReport;
  readonly #made: readonly Repair[];

  /** @internal */
  constructor(model: () => Model, base: Subnetwork, made: readonly Repair[], report: RepairReport) {
    super(model, base.removed, [...base.repairs, ...made]);
    this.#made = made;
    this.report = report;
  }

  override async close(): Promise<void> {
    await Promise.all(this.#made.map((repair) => repair.close()));
  }
}

type Loaded = Pick<Result<"model.load">, "model" | "info" | "screening" | "actors">;

/** A model in the worker's memory: the subnetwork that nothing is removed from. */
export class Model extends Subnetwork {
  readonly info: ModelInfo;
  /**
   * What the precision `screen` multiplies in on this device: `bfloat16`; `float32`, where there are no fast
   * instructions for it; null, where the model is not loaded in float32 and nothing is to be gained.
   */
  readonly screening: Screening | null;
  /** @internal */
  readonly connection: Executor;
  /** @internal */
  readonly handle: Handle;
  /**
   * Trainings that are done at the same time where as many are asked for: by the workers of a pool, or the
   * actors of a cluster.
   *
   * @internal
   */
  readonly trainingsAtOnce: number;

  /** @internal */
  constructor(connection: Executor, { model, info, screening, actors }: Loaded) {
    super(() => this, [], []);
    this.trainingsAtOnce = actors ?? connection.workers;
    this.info = info;
    this.screening = screening;
    this.connection = connection;
    this.handle = new Handle(connection, "model", model, () => connection.call("model.unload", { model }));
  }

  /** Number of blocks. */
  get depth(): number {
    return this.info.depth;
  }

  /** Every unit of a kind that the model has, by depth. */
  units(kind: UnitKind): UnitName[] {
    checkArgument("units", "kind", kind, anyOf(...unitKinds));
    return unitsOf(kind, this.info);
  }

  /**
   * Reads and tokenises text for measuring.
   *
   * @throws DepthkitError NOT_ENOUGH_TEXT with the tokens there are and the tokens needed,
   * FILE_NOT_FOUND, UNSUPPORTED_FORMAT, INVALID_ARGUMENT
   */
  async loadCorpus(data: TextData, options: LoadCorpusOptions = {}): Promise<Corpus> {
    return loadCorpus(this.connection, this.#id, data, options);
  }

  /**
   * A corpus that this model writes itself, to train repairs on: behind the first tokens of each sequence of
   * `prompts`, or behind the whole of it (docs/training.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, OUT_OF_MEMORY, CANCELLED
   */
  async writeCorpus(prompts: Corpus, options: WriteCorpusOptions = {}): Promise<Corpus> {
    return writeCorpus(this.subject, prompts, options);
  }

  /**
   * Reads and tokenises questions, from a `.jsonl` file or as objects: MMLU, ARC, HellaSwag, PIQA,
   * WinoGrande, BoolQ, OpenBookQA, LAMBADA, or a template of one's own (docs/tasks.md).
   *
   * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, NOT_ENOUGH_TEXT, and INVALID_ARGUMENT with the
   * file and line of a row that does not fit
   */
  async loadTask(data: TaskData, options: LoadTaskOptions = {}): Promise<Task> {
    return loadTask(this.connection, this.#id, data, options);
  }

  /**
   * Reads questions whose answers are written, from JSON lines or objects and a prompt template.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, FILE_NOT_FOUND, UNSUPPORTED_FORMAT
   */
  async loadGenerationTask(data: TaskData, options: LoadGenerationTaskOptions): Promise<GenerationTask> {
    return loadGenerationTask(this.connection, this.#id, data, options);
  }

  /**
   * Measures the influence of every unit in one pass over the corpus: how far it moves the residual stream,
   * all static metrics together, or with the metric `taylor` or `gate` what the loss would gain without it,
   * by gradients, both together.
   */
  async influence(corpus: Corpus, options: GradientInfluenceOptions): Promise<GradientInfluence>;
  async influence(corpus: Corpus, options?: InfluenceOptions): Promise<Influence>;
  async influence(
    corpus: Corpus,
    options: InfluenceOptions | GradientInfluenceOptions,
  ): Promise<Influence | GradientInfluence>;
  async influence(
    corpus: Corpus,
    options: InfluenceOptions | GradientInfluenceOptions = {},
  ): Promise<Influence | GradientInfluence> {
    return byGradients(options)
      ? measureGradientInfluence(this.subject, corpus, options)
      : measureInfluence(this.subject, corpus, options);
  }

  /**
   * The subnetwork that {@link Subnetwork.save} wrote, with its repairs. Or, of a folder with a LoRA adapter of
   * peft's, the whole model with the adapter beside its weights as a repair: packed weights stay as they are,
   * where `adapter` of {@link LoadModelOptions} would merge it.
   *
   * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, MODEL_INVALID, MODEL_UNSUPPORTED for an adapter
   * that is more than low rank in blocks, and INVALID_ARGUMENT where it was made for other weights
   */
  async loadSubnetwork(folder: string, call: CallOptions = {}): Promise<Subnetwork> {
    const subject = { model: this.#id, folder: pathFor(this.connection, folder) };
    const { result } = await this.connection.request("repair.load", subject, call);
    const repairs = heldRepairs(this.connection, result.repairs, result.infos);
    return new Subnetwork(() => this, result.removed, repairs);
  }

  /**
   * Scores many subnetworks at once: what they share is computed once (docs/engine.md). Values come as
   * they are finished when iterated over, and all together from `result`.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED, OUT_OF_MEMORY
   */
  evaluateSubnetworks(
    data: Corpus | Task,
    subnetworks: readonly (Subnetwork | readonly string[])[],
    options: EvaluateSubnetworksOptions = {},
  ): SubnetworkEvaluation {
    const asked = () => {
      const one = either(anInstance(Subnetwork, "a subnetwork"), listOf(aText));
      checkArgument("evaluateSubnetworks", "subnetworks", subnetworks, listOf(one, 1));
      return subnetworks.map((one) =>
        one instanceof Subnetwork ? one : { removed: checkUnits(one, this.depth), repairs: [] },
      );
    };
    return evaluateSubnetworks(this.subject, data, asked, options);
  }

  /**
   * The game whose players are units and whose value is a measure on a corpus or a task: what
   * `estimateShapley` estimates over. What was measured is kept, in a journal where one is named.
   *
   * @throws DepthkitError INVALID_ARGUMENT
   */
  async game<const P extends Players = "block">(
    data: Corpus | Task,
    options: ModelGameOptions<P> = {},
  ): Promise<ModelGame<PlayerName<P>>> {
    return modelGame(this.subject, data, options);
  }

  /**
   * Chooses which units to remove, by looking at sets of them on text that repairs were not fitted to, and
   * says what the choice is worth on text that it has not seen (docs/search.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, also where parts of text overlap; BUDGET_TOO_SMALL,
   * NOT_MEASURABLE, CLOSED, CANCELLED, OUT_OF_MEMORY
   */
  async search(options: ModelSearchOptions): Promise<ModelSearch<Subnetwork>> {
    return this.#search(options);
  }

  /**
   * The same searches over draws of text: how often each unit goes, and whether one way to choose is better
   * than another beyond what a draw makes of both (docs/search.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, and what {@link search} throws
   */
  async searchDraws(options: SearchDrawsOptions): Promise<SearchDraws<Subnetwork>> {
    return searchDraws<Subnetwork>(this.#searchable, options);
  }

  /**
   * A mask for each domain of text, all by the same search under one budget, and a router that sends a prompt
   * to one of them by its first tokens; with what that is worth beside one mask for all, on text that decided
   * nothing (docs/routes.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, and what {@link search} throws
   */
  async routes(options: RoutesOptions): Promise<Routes<Subnetwork>> {
    return makeRoutes<Subnetwork>(this.#searchable, options);
  }

  /**
   * The routes that {@link Routes.save} wrote, with the repairs of their masks.
   *
   * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, and INVALID_ARGUMENT where they were made for
   * other weights
   */
  async loadRoutes(folder: string, call: CallOptions = {}): Promise<Routes<Subnetwork>> {
    return loadRoutes<Subnetwork>(this.#searchable, folder, call);
  }

  /**
   * Parts of one text that share nothing: to fit to, to choose on and to report on.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, and what {@link loadCorpus} throws
   */
  async splitText(data: TextData, options: SplitTextOptions): Promise<TextParts> {
    return splitText(this.subject, data, options);
  }

  /**
   * A closed-form repair for each of the units, and for runs of neighbouring blocks, each as if it alone were
   * gone: what `game` and `search` put in place of whatever set they look at.
   *
   * @throws DepthkitError INVALID_ARGUMENT for a method that is trained or rests on other units
   */
  async repairGaps(
    corpus: Corpus,
    units: UnitKind | readonly string[],
    options: GapRepairOptions,
  ): Promise<GapRepairs> {
    const named = typeof units === "string" ? this.units(units) : checkUnits(units, this.depth);
    return GapRepairs.fit(this.subject, corpus, named, options);
  }

  /**
   * What each unit costs to store and to keep, and where asked how long a token waits for it.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, CANCELLED
   */
  async unitCosts(options: UnitCostsOptions = {}): Promise<UnitCosts> {
    return unitCosts(this.subject, options);
  }

  /** Frees its memory in the worker, with all repairs made on it. */
  override close(): Promise<void> {
    return this.handle.close();
  }

  #search(options: ModelSearchOptions, known?: FitInfluence): Promise<ModelSearch<Subnetwork>> {
    const make: MakeSubnetwork<Subnetwork> = (removed, made) => {
      const bare = this.without(removed);
      if (made === undefined) return bare;
      return new RepairedSubnetwork(() => this, bare, made.repairs, made.report);
    };
    return searchModel(this.subject, options, make, known);
  }

  get #searchable(): Routable<Subnetwork> {
    return {
      subject: this.subject,
      splitText: (data, split) => this.splitText(data, split),
      search: (one, known) => this.#search(one, known),
      without: (units) => this.without(units),
      load: (folder, call) => this.loadSubnetwork(folder, call),
    };
  }

  get #id(): string {
    return this.handle.on(this.connection);
  }
}

export async function loadModel(
  connection: Executor,
  source: string,
  options: LoadModelOptions,
): Promise<Model> {
  checkArgument("model.load", "source", source, aText);
  // A relative path means the caller's, where the caller's folders are the worker's: it runs in one of its
  // own.
  const path = (name: string): string =>
    connection.remote === undefined && existsSync(name) ? pathFor(connection, name) : name;
  // What the options are is looked at with the call.
  const given: LoadModelOptions | null | undefined = options;
  const adapter = given?.adapter;
  const asked = typeof adapter === "string" ? { ...options, adapter: path(adapter) } : options;
  const { result } = await connection.request("model.load", { source: path(source) }, asked);
  return new Model(connection, result);
}
