import { resolve } from "node:path";
import { DepthkitError } from "../errors.ts";
import type { UnitName } from "../protocol/common.ts";
import type { Perplexity } from "../protocol/evaluation.ts";
import type { ExportInfo } from "../protocol/export.ts";
import type { Generation } from "../protocol/generation.ts";
import type { GenerationScore } from "../protocol/generation-task.ts";
import type { HarnessResult } from "../protocol/harness.ts";
import type { ModelInfo } from "../protocol/model.ts";
import type { RepairInfo, RepairReport } from "../protocol/repair.ts";
import type { CallOptions, Connection } from "./connection.ts";
import type { Corpus } from "./corpus.ts";
import { type EvaluateOptions, type Evaluation, type EvaluationResults, evaluate } from "./evaluation.ts";
import { type GenerationTask, type SolveOptions, solveGenerationTask } from "./generation-task.ts";
import { type LmEvalOptions, runLmEval } from "./harness.ts";
import { type PerplexityOptions, scorePerplexity } from "./perplexity.ts";
import { type Profile, type ProfileOptions, profileSubnetwork } from "./profile.ts";
import { type RepairOptions, toRepairMethod } from "./repair.ts";
import { type Identity, subjectOf } from "./subject.ts";
import type { Task } from "./task.ts";
import {
  type ChoiceScores,
  type ChoicesOptions,
  type LastWordOptions,
  type LastWordScores,
  scoreChoices,
  scoreLastWord,
} from "./task-scores.ts";
import type { TextData } from "./text-data.ts";
import { checkUnits, type parseUnit } from "./units.ts";

export interface GenerateOptions extends CallOptions {
  /** Wrap the prompt as a user's turn in the model's chat template. Default false. */
  chat?: boolean;
  /** Default 64. */
  maxNewTokens?: number;
  /** 0 (default) is greedy: the likeliest token each time. */
  temperature?: number;
  /** Sample from the likeliest tokens that hold this much probability. Default 1. */
  topP?: number;
  /** For sampling. Default 0. */
  seed?: number;
  /** Stop once one of these strings was written. */
  stop?: readonly string[];
  /** Default true. False computes every step anew: slow, and the reference the cache is tested against. */
  cache?: boolean;
  /** Prompts at a time. Default 1; above that for greedy text with a cache. */
  batchSize?: number;
}

export interface GenerateResult {
  generations: Generation[];
  /** Bytes of KV cache that one token takes in this subnetwork. */
  kvBytesPerToken: number;
  seconds: number;
}

export interface ExportOptions extends CallOptions {
  /**
   * A Hugging Face checkpoint, which stock transformers loads: plain where one can hold the subnetwork, else
   * with a small modelling file beside it (`layout` in the result says which; docs/export.md).
   */
  format: "huggingface";
  /** Replace what the folder holds. Default: a folder that is not empty is refused. */
  overwrite?: boolean;
  /** Default `auto`: the dtype the source is stored in. */
  dtype?: "auto" | "float32" | "bfloat16" | "float16";
  /** How the units were chosen, for the model card. */
  note?: string;
}

export interface SaveOptions extends CallOptions {
  /** Replace a subnetwork saved there before. Default: a folder that is not empty is refused. */
  overwrite?: boolean;
}

/**
 * A model with a set of units removed, and maybe repairs: an immutable value. It holds no weights of its own; the worker
 * gates the removed units while it works on it, and restores the model exactly.
 */
export class Subnetwork implements Identity {
  readonly model: ModelInfo;
  /** The removed units, by depth. */
  readonly removed: readonly UnitName[];
  /** What stands in for removed units or heals the rest, in the order it was made. */
  readonly repairs: readonly RepairInfo[];
  readonly #connection: Connection;

  constructor(
    connection: Connection,
    model: ModelInfo,
    removed: readonly string[],
    repairs: readonly RepairInfo[] = [],
  ) {
    this.#connection = connection;
    this.model = model;
    this.removed = Object.freeze(checkUnits(removed, model.depth));
    this.repairs = Object.freeze([...repairs]);
  }

  /** Numbers of the blocks of which at least one sublayer stays. */
  get keptBlocks(): number[] {
    const gone = new Set(this.removed);
    return Array.from({ length: this.model.depth }, (_, block) => block).filter(
      (block) =>
        !gone.has(`block.${block}`) && !(gone.has(`attention.${block}`) && gone.has(`feed-forward.${block}`)),
    );
  }

  /** The model with nothing removed. */
  get dense(): Subnetwork {
    return new Subnetwork(this.#connection, this.model, []);
  }

  /** A subnetwork without these units too; its repairs stay. */
  without(units: readonly string[]): Subnetwork {
    return new Subnetwork(this.#connection, this.model, [...this.removed, ...units], this.repairs);
  }

  /**
   * Puts something cheap where units were removed, or heals the blocks that stay: a new subnetwork, with a
   * report of what was won. Repairs add up: an emulated update here, LoRA on top. docs/repair.md says what
   * each method computes and costs.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async repair(corpus: Corpus, options: RepairOptions): Promise<RepairedSubnetwork> {
    const { skipTokens = 0, batchSize, onTraining, signal, onProgress } = options;
    const params = {
      ...subjectOf(this),
      corpus: corpus.info.corpus,
      method: toRepairMethod(options, corpus.info.sequences),
      skipTokens,
      batchSize: batchSize ?? null,
    };
    const call = {
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(onTraining === undefined ? {} : { onPart: onTraining }),
    };
    const { result } = await this.#connection.call("repair.fit", params, call);
    const repairs = [...this.repairs, ...result.repairs];
    return new RepairedSubnetwork(this.#connection, this.model, this.removed, repairs, result);
  }

  /**
   * Saves the removed units and the repairs, in a folder that appears whole or not at all;
   * {@link Model.loadSubnetwork} reads it, for the same model. To save the model itself, see `export`.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, DISK_FULL
   */
  async save(folder: string, { overwrite = false, ...call }: SaveOptions = {}): Promise<void> {
    const params = { ...subjectOf(this), folder: resolve(folder), overwrite };
    await this.#connection.call("repair.save", params, call);
  }

  /**
   * Perplexity on a text. The result carries its protocol: data digest, chunk, stride, BOS, tokens.
   *
   * @throws DepthkitError NOT_ENOUGH_TEXT, FILE_NOT_FOUND, UNSUPPORTED_FORMAT, INVALID_ARGUMENT,
   * NOT_MEASURABLE, CANCELLED
   */
  perplexity(data: TextData, options: PerplexityOptions = {}): Promise<Perplexity> {
    return scorePerplexity(this.#connection, subjectOf(this), data, options);
  }

  /**
   * Accuracy on a multiple-choice task, with the choice loss, the probability on the choices, and on request
   * every item and where the whole model chooses otherwise.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  choices(task: Task, options: ChoicesOptions = {}): Promise<ChoiceScores> {
    return scoreChoices(this.#connection, subjectOf(this), task, options);
  }

  /**
   * How often the likeliest word is a text's last one (LAMBADA), and its perplexity.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  lastWord(task: Task, options: LastWordOptions = {}): Promise<LastWordScores> {
    return scoreLastWord(this.#connection, subjectOf(this), task, options);
  }

  /**
   * Continues each prompt. Removed attention has no KV cache.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CANCELLED
   */
  async generate(
    prompts: string | readonly string[],
    {
      chat = false,
      maxNewTokens = 64,
      temperature = 0,
      topP = 1,
      seed = 0,
      stop = [],
      cache = true,
      batchSize = 1,
      ...call
    }: GenerateOptions = {},
  ): Promise<GenerateResult> {
    const texts = typeof prompts === "string" ? [prompts] : [...prompts];
    const params = {
      ...subjectOf(this),
      prompts: texts,
      chat,
      maxNewTokens,
      temperature,
      topP,
      seed,
      stop: [...stop],
      cache,
      batchSize,
    };
    return (await this.#connection.call("generation.generate", params, call)).result;
  }

  /**
   * Writes an answer to every item of a task and counts the right ones.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED
   */
  solve(task: GenerationTask, options: SolveOptions = {}): Promise<GenerationScore> {
    return solveGenerationTask(this.#connection, subjectOf(this), task, options);
  }

  /**
   * Evaluates it in memory with EleutherAI's lm-evaluation-harness, by the harness's own rules. An extra:
   * `npx depthkit setup --with lm-eval` (docs/evaluation.md).
   *
   * @throws DepthkitError MODULE_MISSING, INVALID_ARGUMENT, FILE_NOT_FOUND, NETWORK, CANCELLED
   */
  lmEval(options: LmEvalOptions): Promise<HarnessResult> {
    return runLmEval(this.#connection, subjectOf(this), options);
  }

  /**
   * Several evaluations, one after the other. With a `journal`, each item (a chunk of text, a question, a
   * prompt) is kept as it is finished: what was cancelled or killed goes on from there, and what was scored
   * before is not scored again, as long as weights, removed units, repairs, data and options are the same.
   *
   * @throws DepthkitError what the evaluations by themselves throw
   */
  evaluate<const E extends readonly Evaluation[]>(
    evaluations: E,
    options: EvaluateOptions = {},
  ): Promise<EvaluationResults<E>> {
    return evaluate(this.#connection, this, evaluations, options);
  }

  /**
   * What it costs to store and to run on this device, against the whole model: both are timed in turn
   * (docs/evaluation.md).
   *
   * @throws DepthkitError INVALID_ARGUMENT, OUT_OF_MEMORY, CANCELLED
   */
  profile(options: ProfileOptions = {}): Promise<Profile> {
    return profileSubnetwork(this.#connection, subjectOf(this), this.model.contextLength, options);
  }

  /**
   * Saves it as a checkpoint of its own, in a folder that appears whole or not at all.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, EXPORT_UNSUPPORTED, DISK_FULL, CANCELLED
   */
  async export(
    folder: string,
    { format, overwrite = false, dtype = "auto", note = "", ...call }: ExportOptions,
  ): Promise<ExportInfo> {
    if (format !== "huggingface") {
      throw new DepthkitError("INVALID_ARGUMENT", `Cannot export as "${format}"; formats: huggingface.`);
    }
    const params = { ...subjectOf(this), target: resolve(folder), overwrite, dtype, note };
    return (await this.#connection.call("export.huggingface", params, call)).result;
  }
}

/** A subnetwork that {@link Subnetwork.repair} made. */
export class RepairedSubnetwork extends Subnetwork {
  /** What the repair was fitted on, what it won at each gap, and how training went. */
  readonly report: RepairReport;

  constructor(
    connection: Connection,
    model: ModelInfo,
    removed: readonly string[],
    repairs: readonly RepairInfo[],
    report: RepairReport,
  ) {
    super(connection, model, removed, repairs);
    this.report = report;
  }
}

/** Every unit of a kind, by depth. */
export function unitsOf(kind: ReturnType<typeof parseUnit>["kind"], depth: number): UnitName[] {
  return Array.from({ length: depth }, (_, block) => `${kind}.${block}` as const);
}
