import { type Command, Option } from "commander";
import {
  type CallOptions,
  DepthkitError,
  type Evaluation,
  type EvaluationResult,
  type Model,
  type Subnetwork,
  type Task,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { describeEvaluation, type EvaluatedSubnetwork, type EvaluatedTask } from "./evaluation-text.ts";
import { addDataFlags, type DataFlags, escapedText, textData, wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags, Omit<DataFlags, "data"> {
  data?: string[];
  task: string[];
  shots: number;
  shotsFile?: string;
  limit?: number;
  dense: boolean;
  rows: "raw" | "wikitext";
  chunk?: number;
  stride?: number;
  maxChunks?: number;
  batchSize?: number;
  journal?: string;
}

export function registerEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description(
      "Score the model, or what is left of it without some units: perplexity on text, accuracy on tasks.",
    );
  addDataFlags(addSubjectFlags(command), { required: false })
    .option("--task <files...>", "questions with choices, or last words: .jsonl files (docs/tasks.md)", [])
    .option("--shots <n>", "examples in front of each question, 0 to 5", wholeNumber(0), 0)
    .option("--shots-file <file>", "where they come from")
    .option("--limit <n>", "take the first so many rows of each task", wholeNumber(1))
    .option("--dense", "score the whole model as well", false)
    .addOption(
      new Option("--rows <mode>", "raw: the text as it is; wikitext: the published protocol's rows")
        .choices(["raw", "wikitext"])
        .default("raw"),
    )
    .option(
      "--chunk <n>",
      "tokens a chunk (default: 2048, or the model's limit where that is less)",
      wholeNumber(2),
    )
    .option("--stride <n>", "tokens from chunk to chunk (default: the chunk)", wholeNumber(1))
    .option("--max-chunks <n>", "stop after this many", wholeNumber(1))
    .option(
      "--batch-size <n>",
      "chunks, or questions, at a time (default: 1 chunk, as many questions as pay and fit)",
      wholeNumber(1),
    )
    .option(
      "--journal <folder>",
      "keep every finished chunk and question here; an interrupted run goes on from it",
    )
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) => {
        if (flags.data === undefined && flags.task.length === 0) {
          throw new DepthkitError(
            "INVALID_ARGUMENT",
            "evaluate has nothing to score on: give --data, --task or both.",
          );
        }
        return withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork: pruned } = await loadSubject(kit, flags, call);
          const tasks = await loadTasks(model, flags, call);
          const evaluations = evaluationsOf(flags, tasks);
          const whole = pruned.removed.length + pruned.repairs.length === 0;
          const results = [];
          for (const subject of flags.dense && !whole ? [pruned.dense, pruned] : [pruned]) {
            const scores = await subject.evaluate(evaluations, {
              ...(flags.journal === undefined ? {} : { journal: flags.journal }),
              ...call,
            });
            results.push(resultOf(subject, scores, tasks));
          }
          return {
            json: { model: model.info, results },
            text: results.map(describeEvaluation).join("\n\n"),
          };
        });
      });
    });
}

async function loadTasks(
  model: Model,
  { task: files, shots, shotsFile, limit, bos }: Flags,
  call: CallOptions,
): Promise<Task[]> {
  const options = {
    shots,
    bos,
    ...(shotsFile === undefined ? {} : { shotsFile }),
    ...(limit === undefined ? {} : { limit }),
    ...call,
  };
  const tasks: Task[] = [];
  for (const file of files) tasks.push(await model.loadTask(file, options));
  return tasks;
}

function evaluationsOf(flags: Flags, tasks: readonly Task[]): Evaluation[] {
  const batch = flags.batchSize === undefined ? {} : { batchSize: flags.batchSize };
  const ofTasks = tasks.map(
    (task): Evaluation => ({
      kind: task.info.kind === "last-word" ? "lastWord" : "choices",
      name: task.info.format,
      task,
      ...batch,
    }),
  );
  if (flags.data === undefined) return ofTasks;
  const perplexity: Evaluation = {
    kind: "perplexity",
    data: textData({ ...flags, data: flags.data }),
    rows: flags.rows,
    separator: escapedText(flags.separator),
    ...(flags.chunk === undefined ? {} : { chunk: flags.chunk }),
    ...(flags.stride === undefined ? {} : { stride: flags.stride }),
    ...(flags.maxChunks === undefined ? {} : { maxChunks: flags.maxChunks }),
    bos: flags.bos,
    ...batch,
  };
  return [perplexity, ...ofTasks];
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
    ...(perplexity === undefined ? {} : { perplexity: { ...perplexity.scores, reused: perplexity.reused } }),
    tasks: tasks.map(({ info: { task: _, ...info } }, index) => ({
      info,
      // The evaluations of tasks are in the tasks' order.
      scores: ofTasks[index]?.scores as EvaluatedTask["scores"],
      reused: ofTasks[index]?.reused ?? 0,
    })),
  };
}

function isPerplexity(result: EvaluationResult): result is EvaluationResult<"perplexity"> {
  return result.kind === "perplexity";
}
