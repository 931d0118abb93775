import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { cacheFolder } from "../platform/cache-folder.ts";
import type { UnitKind, UnitName } from "../protocol/common.ts";
import type { ModelInfo } from "../protocol/model.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { type Corpus, type LoadCorpusOptions, loadCorpus } from "./corpus.ts";
import type { EvaluateOptions, Evaluation } from "./evaluation.ts";
import {
  type GenerationTask,
  type LoadGenerationTaskOptions,
  loadGenerationTask,
  type SolveOptions,
} from "./generation-task.ts";
import { type Influence, type InfluenceOptions, measureInfluence } from "./influence.ts";
import { type ModelGame, type ModelGameOptions, modelGame } from "./model-game.ts";
import type { PerplexityOptions } from "./perplexity.ts";
import {
  type ExportOptions,
  type GenerateOptions,
  type GenerateResult,
  Subnetwork,
  unitsOf,
} from "./subnetwork.ts";
import {
  type EvaluateSubnetworksOptions,
  evaluateSubnetworks,
  type SubnetworkEvaluation,
} from "./subnetwork-evaluation.ts";
import { type LoadTaskOptions, loadTask, type Task } from "./task.ts";
import type { ChoicesOptions, LastWordOptions } from "./task-scores.ts";
import type { TextData } from "./text-data.ts";

export interface LoadModelOptions extends CallOptions {
  /** Branch, tag or commit of a hub id. */
  revision?: string;
  /** Default `auto`: the dtype the checkpoint is stored in. */
  dtype?: "auto" | "float32" | "bfloat16" | "float16";
  /** Default `auto`: the first CUDA device, else MPS, else the CPU. */
  device?: "auto" | "cpu" | "cuda" | `cuda:${number}` | "mps";
  /** The attention implementation. Default `auto`: the library's choice. */
  attention?: "auto" | "eager" | "sdpa" | "flash_attention_2";
  /** Let the checkpoint run code of its own. Default false. */
  trustRemoteCode?: boolean;
}

/** A model in the worker's memory. */
export class Model {
  readonly info: ModelInfo;
  readonly #connection: Connection;
  readonly #whole: Subnetwork;

  constructor(connection: Connection, info: ModelInfo) {
    this.#connection = connection;
    this.info = info;
    this.#whole = new Subnetwork(connection, info, []);
  }

  /** Number of blocks. */
  get depth(): number {
    return this.info.depth;
  }

  /** Every unit of a kind, by depth. */
  units(kind: UnitKind): UnitName[] {
    return unitsOf(kind, this.depth);
  }

  /**
   * Reads and tokenises text for measuring.
   *
   * @throws DepthkitError NOT_ENOUGH_TEXT with the tokens there are and the tokens needed,
   * FILE_NOT_FOUND, UNSUPPORTED_FORMAT, INVALID_ARGUMENT
   */
  loadCorpus(data: TextData, options: LoadCorpusOptions = {}): Promise<Corpus> {
    return loadCorpus(this.#connection, this.info.model, data, options);
  }

  /**
   * Reads and tokenises the questions of a `.jsonl` file: MMLU, ARC, HellaSwag, PIQA, WinoGrande, BoolQ,
   * OpenBookQA, LAMBADA, or a template of one's own (docs/tasks.md).
   *
   * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, NOT_ENOUGH_TEXT, and INVALID_ARGUMENT with the
   * file and line of a row that does not fit
   */
  loadTask(path: string, options: LoadTaskOptions = {}): Promise<Task> {
    return loadTask(this.#connection, this.info.model, path, options);
  }

  /**
   * Reads questions whose answers are written, from JSON lines and a prompt template.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_ENOUGH_TEXT, FILE_NOT_FOUND, UNSUPPORTED_FORMAT
   */
  loadGenerationTask(
    files: string | readonly string[],
    options: LoadGenerationTaskOptions,
  ): Promise<GenerationTask> {
    return loadGenerationTask(this.#connection, this.info.model, files, options);
  }

  /** Measures the static influence of every unit in one pass over the corpus, all metrics together. */
  influence(corpus: Corpus, options: InfluenceOptions = {}): Promise<Influence> {
    return measureInfluence(this.#connection, this.info, corpus, options);
  }

  /** The model without these units, such as `block.7` or `attention.3`. Nothing is computed yet. */
  without(units: readonly string[]): Subnetwork {
    return this.#whole.without(units);
  }

  /**
   * The subnetwork that {@link Subnetwork.save} wrote, with its repairs.
   *
   * @throws DepthkitError FILE_NOT_FOUND, UNSUPPORTED_FORMAT, MODEL_INVALID, and INVALID_ARGUMENT where it
   * was made for other weights
   */
  async loadSubnetwork(folder: string, call: CallOptions = {}): Promise<Subnetwork> {
    const params = { model: this.info.model, folder: resolve(folder) };
    const { result } = await this.#connection.call("repair.load", params, call);
    return new Subnetwork(this.#connection, this.info, result.removed, result.repairs);
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
    return evaluateSubnetworks(this.#connection, this.info, data, subnetworks, options);
  }

  /**
   * The game whose players are units and whose value is a measure on a corpus or a task: what
   * `estimateShapley` estimates over. Evaluated coalitions are kept, in a journal where one is named.
   *
   * @throws DepthkitError INVALID_ARGUMENT
   */
  game(data: Corpus | Task, options: ModelGameOptions = {}): Promise<ModelGame> {
    return modelGame(this.#connection, this.info, data, options);
  }

  /** Perplexity of the whole model: see {@link Subnetwork.perplexity}. */
  perplexity(data: TextData, options?: PerplexityOptions) {
    return this.#whole.perplexity(data, options);
  }

  /** Several evaluations of the whole model: see {@link Subnetwork.evaluate}. */
  evaluate<const E extends readonly Evaluation[]>(evaluations: E, options?: EvaluateOptions) {
    return this.#whole.evaluate(evaluations, options);
  }

  /** Accuracy of the whole model: see {@link Subnetwork.choices}. */
  choices(task: Task, options?: ChoicesOptions) {
    return this.#whole.choices(task, options);
  }

  /** Last words by the whole model: see {@link Subnetwork.lastWord}. */
  lastWord(task: Task, options?: LastWordOptions) {
    return this.#whole.lastWord(task, options);
  }

  /** Text by the whole model: see {@link Subnetwork.generate}. */
  generate(prompts: string | readonly string[], options?: GenerateOptions): Promise<GenerateResult> {
    return this.#whole.generate(prompts, options);
  }

  /** Answers by the whole model: see {@link Subnetwork.solve}. */
  solve(task: GenerationTask, options?: SolveOptions) {
    return this.#whole.solve(task, options);
  }

  /** Saves the whole model: see {@link Subnetwork.export}. */
  export(folder: string, options: ExportOptions) {
    return this.#whole.export(folder, options);
  }

  /** Frees its memory in the worker. */
  async close(): Promise<void> {
    await this.#connection.call("model.unload", { model: this.info.model });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function loadModel(
  connection: Connection,
  source: string,
  {
    revision,
    dtype = "auto",
    device = "auto",
    attention = "auto",
    trustRemoteCode = false,
    ...call
  }: LoadModelOptions,
): Promise<Model> {
  const params = {
    // The worker keeps the folder it was started in; a relative path means the caller's.
    source: existsSync(source) ? resolve(source) : source,
    revision: revision ?? null,
    dtype,
    device,
    attention,
    trustRemoteCode,
    cacheFolder: cacheFolder(),
  };
  return new Model(connection, (await connection.call("model.load", params, call)).result);
}
