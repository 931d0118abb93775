import { DepthkitError } from "../errors.ts";
import type { JournalKey } from "../journal/key.ts";
import { ValuesFile } from "../journal/values-file.ts";
import type { Perplexity } from "../protocol/evaluation.ts";
import type { GenerationScore } from "../protocol/generation-task.ts";
import type { CallOptions, Connection } from "./connection.ts";
import {
  type GenerationTask,
  type SolveOptions,
  solveGenerationTask,
  solveParams,
} from "./generation-task.ts";
import { ItemLog } from "./item-log.ts";
import { type PerplexityOptions, perplexityParams, scorePerplexity } from "./perplexity.ts";
import { type Identity, type Subject, subjectOf } from "./subject.ts";
import type { Task } from "./task.ts";
import {
  type ChoiceScores,
  type ChoicesOptions,
  type LastWordOptions,
  type LastWordScores,
  scoreChoices,
  scoreLastWord,
} from "./task-scores.ts";
import { type TextData, textDigest } from "./text-data.ts";
import { modelKey } from "./value-key.ts";

type Own<Options> = Omit<Options, keyof CallOptions>;

/** One evaluation of {@link Subnetwork.evaluate}: its kind is the method that would do it by itself. */
export type Evaluation = { /** Shown with progress. Default: the kind. */ name?: string } & (
  | ({ kind: "perplexity"; data: TextData } & Own<PerplexityOptions>)
  | ({ kind: "choices"; task: Task } & Own<ChoicesOptions>)
  | ({ kind: "lastWord"; task: Task } & Own<LastWordOptions>)
  | ({ kind: "solve"; task: GenerationTask } & Own<SolveOptions>)
);

interface ScoresByKind {
  perplexity: Perplexity;
  choices: ChoiceScores;
  lastWord: LastWordScores;
  solve: GenerationScore;
}

export interface EvaluationResult<K extends Evaluation["kind"] = Evaluation["kind"]> {
  kind: K;
  name: string;
  scores: ScoresByKind[K];
  /** Chunks, questions or prompts in it. */
  items: number;
  /** Of these, how many the journal had already. */
  reused: number;
}

/** One result an evaluation, in their order. */
export type EvaluationResults<E extends readonly Evaluation[]> = {
  -readonly [I in keyof E]: EvaluationResult<E[I]["kind"]>;
};

export interface EvaluateOptions extends CallOptions {
  /** Keep every finished item in this folder, and take from it what was scored before. */
  journal?: string;
  /** Hears of each result as it is there. */
  onResult?: (result: EvaluationResult) => void;
}

export async function evaluate<const E extends readonly Evaluation[]>(
  connection: Connection,
  subnetwork: Identity,
  evaluations: E,
  { journal, onResult, signal, onProgress }: EvaluateOptions,
): Promise<EvaluationResults<E>> {
  const subject = subjectOf(subnetwork);
  const results: EvaluationResult[] = [];
  for (const evaluation of evaluations) {
    const { kind, name = kind } = evaluation;
    const call: CallOptions = {
      signal,
      onProgress: (progress) => onProgress?.({ ...progress, phase: `${name}: ${progress.phase}` }),
    };
    const scoreWith = (log?: ItemLog) => score(connection, subject, evaluation, call, log);
    let scores: ScoresByKind[typeof kind];
    let reused = 0;
    if (journal === undefined) {
      scores = await scoreWith();
    } else {
      const header = await headerOf(connection, subnetwork, evaluation);
      await using file = await ValuesFile.open({ directory: journal, header });
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
  connection: Connection,
  subject: Subject,
  evaluation: Evaluation,
  call: CallOptions,
  log: ItemLog | undefined,
): Promise<ScoresByKind[Evaluation["kind"]]> {
  const options = { ...evaluation, ...call };
  switch (evaluation.kind) {
    case "perplexity":
      return scorePerplexity(connection, subject, evaluation.data, options, log);
    case "choices":
      return scoreChoices(connection, subject, evaluation.task, options, log);
    case "lastWord":
      return scoreLastWord(connection, subject, evaluation.task, options, log);
    case "solve":
      return solveGenerationTask(connection, subject, evaluation.task, options, log);
    default: {
      const { kind } = evaluation satisfies never as { kind: unknown };
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `evaluate was given the kind ${JSON.stringify(kind)}; kinds: perplexity, choices, lastWord, solve.`,
      );
    }
  }
}

function itemsOf(scores: ScoresByKind[Evaluation["kind"]]): number {
  return "chunks" in scores ? scores.chunks : scores.items;
}

/** All that determines what an item scores; batch sizes do not. */
async function headerOf(
  connection: Connection,
  { model, removed, repairs }: Identity,
  evaluation: Evaluation,
): Promise<JournalKey> {
  return {
    format: "depthkit-items",
    version: 1,
    kind: evaluation.kind,
    ...modelKey(model),
    removed,
    repairs: repairs.map(({ digest }) => digest),
    ...(await dataKey(connection, model.model, evaluation)),
  };
}

async function dataKey(
  connection: Connection,
  model: string,
  evaluation: Evaluation,
): Promise<Record<string, JournalKey>> {
  if (evaluation.kind === "choices" || evaluation.kind === "lastWord") {
    return { task: evaluation.task.info.digest };
  }
  const { result } = await connection.call("model.tokenizer", { model });
  const tokenizer = result.digest;
  if (evaluation.kind === "solve") {
    const { digest, separator } = evaluation.task.info;
    const { maxNewTokens, stop, chat } = solveParams(evaluation);
    return { tokenizer, task: digest, maxNewTokens, stop: stop ?? [separator], chat };
  }
  // How many chunks are scored changes none of them.
  const { data, rows, separator, chunk, stride, bos } = perplexityParams(evaluation.data, evaluation);
  return { tokenizer, text: await textDigest(data), rows, separator, chunk, stride, bos };
}
