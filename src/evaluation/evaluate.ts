import type { z } from "zod";
import type { JournalKey } from "../journal/key.ts";
import { openValuesFile } from "../journal/values-file.ts";
import {
  aFunction,
  anyOf,
  aText,
  type Check,
  type Checks,
  checkArgument,
  checkOptions,
  faultsOf,
  isObject,
  join,
  listOf,
  required,
} from "../options.ts";
import { choicesOptions, lastWordOptions, perplexityOptions } from "../protocol/evaluation.ts";
import { type GenerationScore, solveOptions } from "../protocol/generation-task.ts";
import type { CallOptions, Own } from "../rpc/call-options.ts";
import { aHandle } from "../rpc/handle.ts";
import { optionsOf } from "../rpc/parse-params.ts";
import { withTimeLimit, workerCallChecks } from "../rpc/time-limit.ts";
import { ItemLog } from "./item-log.ts";
import { modelKey } from "./keys.ts";
import { type Perplexity, type PerplexityOptions, scorePerplexity } from "./perplexity.ts";
import type { Subject } from "./subject.ts";
import {
  type ChoiceScores,
  type ChoicesOptions,
  type HeldTask,
  type LastWordOptions,
  type LastWordScores,
  scoreChoices,
  scoreLastWord,
} from "./task-scores.ts";
import { someText, type TextData, textDigest } from "./text-data.ts";
import { type HeldGenerationTask, type SolveOptions, solveTask } from "./written-answers.ts";

/** One evaluation of {@link Subnetwork.evaluate}: its kind is the method that would do it by itself. */
export type Evaluation = { /** Shown with progress. Default: the kind. */ name?: string | undefined } & (
  | ({ kind: "perplexity"; data: TextData } & Own<PerplexityOptions>)
  | ({ kind: "choices"; task: HeldTask } & Own<ChoicesOptions>)
  | ({ kind: "lastWord"; task: HeldTask } & Own<LastWordOptions>)
  | ({ kind: "solve"; task: HeldGenerationTask } & Own<SolveOptions>)
);

interface ScoresByKind {
  perplexity: Perplexity;
  choices: ChoiceScores;
  lastWord: LastWordScores;
  solve: GenerationScore;
}

/** The scores of one evaluation, under the name it was given. */
export interface EvaluationResult<K extends Evaluation["kind"] = Evaluation["kind"]> {
  kind: K;
  name: string;
  scores: ScoresByKind[K];
  /** Chunks, questions or written answers in it. */
  items: number;
  /** Of these, how many the journal had already. */
  reused: number;
}

/** One result per evaluation, in their order. */
export type EvaluationResults<E extends readonly Evaluation[]> = {
  -readonly [I in keyof E]: EvaluationResult<E[I]["kind"]>;
};

export interface EvaluateOptions extends CallOptions {
  /** Keep every finished item in this folder, and take from it what was scored before. */
  journal?: string | undefined;
  /** Hears of each result as it is there. */
  onResult?: ((result: EvaluationResult) => void) | undefined;
}

const evaluateChecks: Checks<EvaluateOptions> = { ...workerCallChecks, journal: aText, onResult: aFunction };

/** By kind: the options that cross the wire, and what it is asked of. */
const kinds: Record<Evaluation["kind"], { options: z.ZodType; of: Readonly<Record<string, Check>> }> = {
  perplexity: { options: perplexityOptions, of: { data: required(someText) } },
  choices: { options: choicesOptions, of: { task: required(aHandle("a task")) } },
  lastWord: { options: lastWordOptions, of: { task: required(aHandle("a task")) } },
  solve: { options: solveOptions, of: { task: required(aHandle("a generation task")) } },
};
const aKind = anyOf(...Object.keys(kinds));

const anEvaluation: Check = {
  allowed: "an object with a kind",
  holds: isObject,
  faults: (value, path) => {
    const { kind } = value as Evaluation;
    const known = faultsOf(kind, aKind, join(path, "kind"));
    if (known.length > 0) return known;
    const { options, of } = kinds[kind];
    return optionsOf(options, { kind: aKind, name: aText, ...of }).faults?.(value, path) ?? [];
  },
};

export async function evaluate<const E extends readonly Evaluation[]>(
  on: Subject,
  evaluations: E,
  options: EvaluateOptions,
): Promise<EvaluationResults<E>> {
  checkOptions("evaluate", options, evaluateChecks);
  // All of them before the first is begun.
  checkArgument("evaluate", "evaluations", evaluations, listOf(anEvaluation));
  return withTimeLimit("evaluate", options, (signal) => evaluateAll(on, evaluations, { ...options, signal }));
}

async function evaluateAll<const E extends readonly Evaluation[]>(
  on: Subject,
  evaluations: E,
  options: EvaluateOptions,
): Promise<EvaluationResults<E>> {
  const { journal, onResult, signal, onProgress, timeoutMs } = options;
  const results: EvaluationResult[] = [];
  for (const evaluation of evaluations) {
    const { kind, name = kind } = evaluation;
    const call: CallOptions = {
      signal,
      timeoutMs,
      onProgress: (progress) => onProgress?.({ ...progress, phase: `${name}: ${progress.phase}` }),
    };
    const scoreWith = (log?: ItemLog) => score(on, evaluation, call, log);
    let scores: ScoresByKind[typeof kind];
    let reused = 0;
    if (journal === undefined) {
      scores = await scoreWith();
    } else {
      const header = await headerOf(on, evaluation);
      await using file = await openValuesFile({ directory: journal, header });
      const log = new ItemLog(file);
      scores = await scoreWith(log);
      await log.settled();
      reused = itemsOf(scores) - log.found;
    }
    const result = { kind, name, scores, items: itemsOf(scores), reused };
    results.push(result);
    onResult?.(result);
  }
  // Made one by one from the evaluations, in their order.
  return results as EvaluationResults<E>;
}

function score(
  on: Subject,
  evaluation: Evaluation,
  call: CallOptions,
  log: ItemLog | undefined,
): Promise<ScoresByKind[Evaluation["kind"]]> {
  switch (evaluation.kind) {
    case "perplexity": {
      const { kind: _, name: __, data, ...options } = evaluation;
      return scorePerplexity(on, data, { ...options, ...call }, log);
    }
    case "choices": {
      const { kind: _, name: __, task, ...options } = evaluation;
      return scoreChoices(on, task, { ...options, ...call }, log);
    }
    case "lastWord": {
      const { kind: _, name: __, task, ...options } = evaluation;
      return scoreLastWord(on, task, { ...options, ...call }, log);
    }
    case "solve": {
      const { kind: _, name: __, task, ...options } = evaluation;
      return solveTask(on, task, { ...options, ...call }, log);
    }
  }
}

function itemsOf(scores: ScoresByKind[Evaluation["kind"]]): number {
  if ("chunks" in scores) return scores.chunks;
  return "samples" in scores ? scores.items * scores.samples : scores.items;
}

/** All that determines what an item scores: every option but those named here. Batch sizes do not. */
async function headerOf(on: Subject, evaluation: Evaluation): Promise<JournalKey> {
  return {
    format: "depthkit-items",
    version: 3,
    kind: evaluation.kind,
    ...modelKey(on.info),
    removed: on.removed,
    repairs: on.repairs.map(({ digest }) => digest),
    ...(on.policy === undefined ? {} : { policy: on.policy }),
    ...(await dataKey(on, evaluation)),
  };
}

async function dataKey(
  { connection, handle }: Subject,
  evaluation: Evaluation,
): Promise<Record<string, JournalKey>> {
  if (evaluation.kind === "choices" || evaluation.kind === "lastWord") {
    return { task: evaluation.task.info.digest };
  }
  const { result } = await connection.call("model.tokenizer", { model: handle.on(connection) });
  const tokenizer = result.digest;
  if (evaluation.kind === "solve") {
    const { digest, separator } = evaluation.task.info;
    const { batchSize: _, items: __, passAt: ___, ...asked } = solveOptions.strip().parse(evaluation);
    return { ...asked, tokenizer, task: digest, stop: asked.stop ?? [separator] };
  }
  // How many chunks are scored changes none of them.
  const { batchSize: _, maxChunks: __, items: ___, ...asked } = perplexityOptions.strip().parse(evaluation);
  return { ...asked, tokenizer, text: await textDigest(connection, evaluation.data) };
}
