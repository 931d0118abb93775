import { someText, type TextData } from "../../evaluation/text-data.ts";
import type { GgufExport, HuggingfaceExport, OnnxExport } from "../../model/export.ts";
import type { LoadModelOptions } from "../../model/model.ts";
import { type RepairOptions, repairOptions } from "../../model/repair.ts";
import { type GapRepairOptions, gapRepairOptions } from "../../model/search/gap-repairs.ts";
import { type ModelSearchOptions, searchChecks } from "../../model/search/options.ts";
import { type SplitTextOptions, splitChecks, splitCorpusOptions } from "../../model/search/text-parts.ts";
import type { TaskData } from "../../model/task-data.ts";
import {
  aFunction,
  aNumberAbove,
  anObject,
  anyOf,
  aText,
  aWhole,
  type Check,
  type Checks,
  checkOptions,
  either,
  listOf,
  objectOf,
  recordOf,
  refusal,
  required,
} from "../../options.ts";
import { exportFormats, exportOptions } from "../../protocol/export.ts";
import { ggufOptions } from "../../protocol/export-gguf.ts";
import { onnxOptions } from "../../protocol/export-onnx.ts";
import { modelOptions } from "../../protocol/model.ts";
import { precisions } from "../../protocol/names.ts";
import type { Precision } from "../../protocol/subnetworks.ts";
import type { CallOptions, Own } from "../../rpc/call-options.ts";
import { optionsOf } from "../../rpc/parse-params.ts";
import { workerCallChecks } from "../../rpc/time-limit.ts";
import type { Budget } from "../../selection/budget.ts";
import type { StrategyChoice } from "../../selection/strategy-choice.ts";
import {
  type BaselineName,
  baselineNames,
  type PruneRecipeName,
  pruneRecipeNames,
  takesBlocks,
} from "./names.ts";
import type { PruneContender, PrunePlan } from "./record.ts";

/** What `prune` says as it goes. */
export type PruneEvent =
  | { readonly kind: "plan"; readonly plan: PrunePlan }
  | { readonly kind: "contender"; readonly contender: PruneContender };

/** What to make smaller, by how much, on what text, and where it goes. All else has a default. */
export interface PruneOptions extends CallOptions {
  /** The bundled name, a folder, a `.gguf` file or a hub id. */
  model: string;
  /** How it is loaded. */
  load?: Own<LoadModelOptions> | undefined;
  /** How much goes: a count of units, counts by kind, or at least a share of a cost (docs/search.md). */
  budget: Budget;
  /** Text like that which the model will read. It is split into parts that share nothing. */
  data: TextData;
  /** How it is split. Default: sequences of 512 tokens, `fit` 32, `choose` [2, 8], `report` 16. */
  text?: Partial<Own<SplitTextOptions>> | undefined;
  /** Where the smaller model goes. */
  out: string;
  /** How it is saved. What a format cannot hold is no contender. Default: a Hugging Face checkpoint. */
  export?: PruneExport | undefined;
  /** Where journals and the record go; the same call goes on from them. Default: `out` with `.run` behind. */
  folder?: string | undefined;
  /** Who plays, as in a search. Default `block`. */
  players?: ModelSearchOptions["players"];
  /**
   * Who may go in a search: units, or as many as a number says of least cosine, and the span's beside them.
   * Default: half of the players, or twice the budget's share.
   */
  candidates?: ModelSearchOptions["candidates"];
  /** Who stays. */
  protect?: ModelSearchOptions["protect"];
  /**
   * How sets are looked at. Default: where blocks go and `span` and `cosine` are compared with, a
   * `surrogate`, else `greedy`; with a limit of evaluations or minutes what makes use of it. What can start
   * from known sets starts from those of the other contenders.
   */
  strategy?: StrategyChoice | undefined;
  /** Sets that the search under repair evaluates at most. Default: 40 of a surrogate, else no limit. */
  evaluations?: number | undefined;
  /** What the searches may take together, by the pace that was measured first; this or `evaluations`. */
  minutes?: number | undefined;
  /** How the searches score sets: `screen` in bfloat16, the best of them exactly. Default `exact`. */
  precision?: Precision | undefined;
  seed?: number | undefined;
  /**
   * What every contender gets in place of what it lost, fitted to `fit`. Default: low-rank of rank 256, or
   * of the hidden size where that is less; null: nothing. `reference` of a low-rank map and of an emulated
   * update is "pruned" where none is named.
   */
  repair?: RepairOptions | null | undefined;
  /**
   * The closed-form repair that stands in while sets are scored. Default: `repair` where it can, else
   * low-rank of rank 256; none where `repair` is null.
   */
  scoring?: GapRepairOptions | undefined;
  /** On top of the winner, such as LoRA; it stays only where it helps on held-out text. */
  heal?: RepairOptions | undefined;
  /**
   * What to compare with. Default: tail, cosine, span and greedy, with the same repair. Recipes have a repair
   * of their own. Recipes and span remove blocks (docs/prune.md).
   */
  baselines?: readonly (BaselineName | PruneRecipeName)[] | undefined;
  /** More to measure on, which decides nothing: the whole model, the shipped one, and others beside it. */
  evaluate?: PruneEvaluations | undefined;
  /** Hears of the plan before the long work, and of each contender once it was measured. */
  onEvent?: ((event: PruneEvent) => void) | undefined;
}

type Saved<Format> = Own<Omit<Format, "note" | "check" | "format">>;

/** How `prune` saves the smaller model: a folder that transformers loads, a file for llama.cpp, or graphs. */
export type PruneExport =
  | (Saved<HuggingfaceExport> & { format?: "huggingface" | undefined })
  | (Saved<GgufExport> & { format: "gguf" })
  | (Saved<OnnxExport> & { format: "onnx" });

/** What the sets are compared on. */
export interface PruneEvaluations {
  /** Held-out text by name: perplexity, in chunks of the text's length. */
  texts?: Readonly<Record<string, TextData>> | undefined;
  /** Questions by name: accuracy. */
  tasks?: Readonly<Record<string, TaskData>> | undefined;
  /** Examples in front of each question; default 5. */
  shots?: number | undefined;
  /** Chunks of each text at most; default 32. */
  maxChunks?: number | undefined;
  /** Which contenders to measure beside the shipped model. Default: the best of the others. */
  beside?: "best" | "all" | undefined;
}

const someTasks: Check = {
  allowed: "a path, a list of paths or { rows: [...] }",
  holds: (value) => typeof value === "string" || Array.isArray(value) || anObject.holds(value),
};
const evaluationChecks: Checks<PruneEvaluations> = {
  texts: recordOf(someText),
  tasks: recordOf(someTasks),
  shots: aWhole(0),
  maxChunks: aWhole(1),
  beside: anyOf("best", "all"),
};

const { fit, choose, report, draw } = splitChecks;
const textChecks = { fit, choose: { ...choose, required: false }, report, draw };
const { budget, players: some, candidates, protect, strategy, seed } = searchChecks;
const nothing: Check = { allowed: "null", holds: (value) => value === null };

const format = anyOf(...exportFormats);
const savedAs = {
  huggingface: optionsOf(exportOptions.omit({ note: true }), { format }),
  gguf: optionsOf(ggufOptions.omit({ note: true }), { format }),
  onnx: optionsOf(onnxOptions.omit({ note: true }), { format }),
};
const saved: Check = {
  ...savedAs.huggingface,
  faults: (value, path) => {
    const asked = savedAs[formatOf({ export: value as PruneExport })] ?? savedAs.huggingface;
    return asked.faults?.(value, path) ?? [];
  },
};

const checks: Checks<PruneOptions> = {
  ...workerCallChecks,
  model: required(aText),
  load: optionsOf(modelOptions, {}),
  budget,
  data: required(someText),
  text: optionsOf(splitCorpusOptions, textChecks),
  out: required(aText),
  export: saved,
  folder: aText,
  players: some,
  candidates,
  protect,
  strategy,
  evaluations: aWhole(1),
  minutes: aNumberAbove(0),
  precision: anyOf(...precisions),
  seed,
  repair: either(repairOptions, nothing),
  scoring: gapRepairOptions,
  heal: repairOptions,
  baselines: listOf(anyOf(...baselineNames, ...pruneRecipeNames)),
  evaluate: objectOf(evaluationChecks),
  onEvent: aFunction,
};

/** What the smaller model is saved as. */
export function formatOf(options: Pick<PruneOptions, "export">): (typeof exportFormats)[number] {
  return options.export?.format ?? "huggingface";
}

export const onlyBlocks = (players: PruneOptions["players"]): boolean =>
  players === undefined || [players].flat().every((one) => one === "block");

/** @throws DepthkitError INVALID_ARGUMENT */
export function checkPruneOptions(call: string, options: PruneOptions): void {
  checkOptions(call, options, checks);
  const { evaluations, minutes, repair, scoring, text, baselines, players } = options;
  const refuse = (path: string, words: string): never => {
    throw refusal(call, [{ path, words }]);
  };
  if (evaluations !== undefined && minutes !== undefined) {
    refuse("minutes", "`evaluations` limits the search too; give one of the two.");
  }
  if (repair === null && scoring !== undefined) {
    refuse(
      "scoring",
      "sets would be scored with a repair that none of them gets; leave it out, or `repair: null`.",
    );
  }
  if (scoring !== undefined && "reference" in scoring && scoring.reference === "pruned") {
    refuse(
      "scoring.reference",
      'what stands in while sets are scored is fitted in the whole model; leave it out, or "dense".',
    );
  }
  const ofBlocks = baselines?.find(takesBlocks);
  if (ofBlocks !== undefined && !onlyBlocks(players)) {
    refuse("baselines", `"${ofBlocks}" removes blocks, and ${String(players)} are asked for.`);
  }
  if (text?.fit === 0) {
    refuse("text.fit", "influence is measured and repairs are fitted on it; give 1 sequence or more.");
  }
  if (text?.report !== undefined && text.report < 4) {
    refuse(
      "text.report",
      `contenders are compared sequence by sequence; got ${text.report}, give 4 or more.`,
    );
  }
}
