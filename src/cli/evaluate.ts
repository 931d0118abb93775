import type { Command } from "commander";
import type { z } from "zod";
import {
  type CallOptions,
  type ChoiceScores,
  compareEvaluations,
  DepthkitError,
  type Evaluation,
  type EvaluationResult,
  type LastWordScores,
  type Model,
  type PolicySubnetwork,
  type Subnetwork,
  type Task,
} from "../index.ts";
import { perplexityOptions, taskOptions } from "../schemas.ts";
import { checkJournal, runCommand } from "./command.ts";
import { addTextFlags, type TextFlags, textDataOf } from "./data-flags.ts";
import {
  describeDifferences,
  describeEvaluation,
  type EvaluatedSubnetwork,
  type EvaluatedTask,
} from "./evaluation-text.ts";
import { addTokensFlag, type Tokenised, type TokensFlag, withTokens } from "./first-tokens.ts";
import { addPolicyFlag, type PolicyFlag, underPolicy } from "./policy-flag.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, flagNames, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, PolicyFlag, TokensFlag, Omit<TextFlags, "data"> {
  data?: string[];
  task: string[];
  shotsFrom?: string[];
  dense: boolean;
  batchSize?: number;
  journal?: string;
}

const textStyles = {
  items: false,
  separator: { escaped: true },
  batchSize: {
    help: "chunks, or questions, at a time (default: 1 chunk, as many questions as pay and fit)",
  },
} as const;
// What the rows themselves say is their format, and `--bos` is the text's flag too.
const taskStyles = { format: false, shotsFrom: false, bos: false } as const;

export function registerEvaluate(command: Command): void {
  addTokensFlag(addTextFlags(addPolicyFlag(addSubjectFlags(command)), { required: false }));
  addSchemaFlags(command, perplexityOptions, textStyles);
  command.option(
    "--task <files...>",
    "questions with choices, or last words: files of rows, as --data takes them (docs/tasks.md)",
    [],
  );
  addSchemaFlags(command, taskOptions, taskStyles);
  command
    .option("--shots-from <files...>", "where they come from (default: each task's own first rows)")
    .option("--dense", "score the whole model as well, and say what the difference is", false)
    .option(
      "--journal <folder>",
      "keep every finished chunk and question here; an interrupted run goes on from it",
    )
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) => {
        checkFlags(flags);
        return withWorker(signal, async (kit) => {
          const call = { signal, onProgress: progress.update };
          await checkJournal(kit, flags.journal, signal);
          const { model, subnetwork: pruned } = await loadSubject(kit, flags, call);
          const tasks = await loadTasks(model, flags, call);
          const evaluations = evaluationsOf(flags, tasks);
          const followed = underPolicy(pruned, flags);
          const whole = followed === pruned && pruned.removed.length + pruned.repairs.length === 0;
          const score = (subject: Subnetwork | PolicySubnetwork) =>
            subject.evaluate(evaluations, { journal: flags.journal, ...call });
          const dense = flags.dense && !whole ? await score(model) : undefined;
          const scores = await score(followed);
          const { policy } = flags;
          const result = { ...resultOf(pruned, scores, tasks), ...(policy === undefined ? {} : { policy }) };
          const differences = dense === undefined ? [] : compareEvaluations(dense, scores);
          return {
            json: {
              model: model.info,
              results: dense === undefined ? [result] : [resultOf(model, dense, tasks), result],
              ...(dense === undefined ? {} : { differences }),
            },
            text: withTokens(
              [
                describeEvaluation(result),
                ...(dense === undefined ? [] : [describeDifferences(differences, dense)]),
              ].join("\n\n"),
              flags,
              tokensOf([result]),
            ),
          };
        });
      });
    });
}

/** Every flag given has something to say something of. */
function checkFlags(flags: Flags): void {
  const { data, task } = flags;
  if (data === undefined && task.length === 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "evaluate has nothing to score on: give --data, --task or both.",
    );
  }
  const given = (schema: z.ZodObject, styles: object) =>
    Object.keys(schemaOptions(schema, flags, styles)).map((key) => flagNames(schema, styles).get(key));
  const shared = ["--batch-size", "--bos"];
  const ofText = given(perplexityOptions, textStyles).filter((flag) => !shared.includes(flag ?? ""));
  const ofTasks = [
    ...given(taskOptions, taskStyles),
    ...(flags.shotsFrom === undefined ? [] : ["--shots-from"]),
  ];
  if (data === undefined && ofText.length > 0) {
    throw new DepthkitError("INVALID_ARGUMENT", `${ofText.join(", ")} speaks of text: give --data too.`);
  }
  if (task.length === 0 && ofTasks.length > 0) {
    throw new DepthkitError("INVALID_ARGUMENT", `${ofTasks.join(", ")} speaks of tasks: give --task too.`);
  }
}

async function loadTasks(model: Model, flags: Flags, call: CallOptions): Promise<Task[]> {
  const { bos } = schemaOptions(perplexityOptions, flags, textStyles);
  const options = { ...schemaOptions(taskOptions, flags, taskStyles), bos, shotsFrom: flags.shotsFrom };
  const tasks: Task[] = [];
  for (const file of flags.task) tasks.push(await model.loadTask(file, { ...options, ...call }));
  return tasks;
}

function evaluationsOf(flags: Flags, tasks: readonly Task[]): Evaluation[] {
  const { batchSize, data } = flags;
  const ofTasks = tasks.map(
    (task): Evaluation => ({
      kind: task.info.kind === "last-word" ? "lastWord" : "choices",
      name: task.info.format,
      task,
      batchSize,
      items: flags.dense,
    }),
  );
  if (data === undefined) return ofTasks;
  const options = schemaOptions(perplexityOptions, flags, textStyles);
  const text = { data: textDataOf({ ...flags, data }), ...options, items: flags.dense };
  return [{ kind: "perplexity", ...text }, ...ofTasks];
}

function resultOf(
  { removed, repairs, keptBlocks }: Subnetwork,
  results: readonly EvaluationResult[],
  tasks: readonly Task[],
): EvaluatedSubnetwork {
  const perplexity = results.find(isPerplexity);
  const ofTasks = results.filter((result) => !isPerplexity(result));
  return {
    removed,
    repairs,
    keptBlocks,
    ...(perplexity === undefined
      ? {}
      : { perplexity: { ...withoutItems(perplexity.scores), reused: perplexity.reused } }),
    tasks: tasks.map(({ info }, index) => ({
      info,
      // The evaluations of tasks are in the tasks' order.
      scores: withoutItems(
        ofTasks[index]?.scores as ChoiceScores | LastWordScores,
      ) as EvaluatedTask["scores"],
      reused: ofTasks[index]?.reused ?? 0,
    })),
  };
}

/** Thousands of numbers that no one asked for: the differences were taken from them. */
function withoutItems<T extends { perItem?: unknown }>({ perItem: _, ...scores }: T): Omit<T, "perItem"> {
  return scores;
}

/** What each text and task became: the same tokens for every subnetwork. */
function tokensOf(results: readonly EvaluatedSubnetwork[]): Tokenised[] {
  return results.flatMap(({ perplexity, tasks }) => [
    ...(perplexity === undefined ? [] : [{ name: "the first chunk", firstTokens: perplexity.firstTokens }]),
    ...tasks.map(({ info }) => ({ name: `the first item of ${info.format}`, firstTokens: info.firstTokens })),
  ]);
}

function isPerplexity(result: EvaluationResult): result is EvaluationResult<"perplexity"> {
  return result.kind === "perplexity";
}
