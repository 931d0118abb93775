import { type Command, Option } from "commander";
import {
  type CallOptions,
  DepthkitError,
  type GenerationScore,
  type GenerationTask,
  type Model,
  type ProbeName,
  probe,
  probeNames,
} from "../index.ts";
import { formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { generationTaskOptions, solveOptions } from "../schemas.ts";
import { checkJournal, runCommand } from "./command.ts";
import { fromJournal, share } from "./evaluation-text.ts";
import { addTokensFlag, type TokensFlag, withTokens } from "./first-tokens.ts";
import { addPolicyFlag, type PolicyFlag, skipRows, underPolicy } from "./policy-flag.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, readEscapes, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";
import { wholeNumber } from "./values.ts";

interface Flags extends SubjectFlags, PolicyFlag, TokensFlag {
  task?: string[];
  prompt?: string;
  probe?: ProbeName;
  seed?: number;
  shotsFrom?: string[];
  journal?: string;
}

const taskStyles = {
  prompt: false,
  shotsFrom: false,
  answerPrefix: { escaped: true },
  separator: { escaped: true },
} as const;
// `--seed` is that of a probe's questions.
const solveStyles = {
  stop: { escaped: true },
  items: false,
  seed: { name: "sampling-seed" },
  passAt: {
    help:
      "of several samples per item, how likely one of so many is right: pass@k for each of these, " +
      "by the task's own score (no code is run)",
  },
} as const;

export function registerSolve(command: Command): void {
  addTokensFlag(addPolicyFlag(addSubjectFlags(command)))
    .option(
      "--task <files...>",
      "questions, one per row: .jsonl, .json, .csv, .tsv, .parquet files, or hf://datasets/...",
    )
    .option(
      "--prompt <template>",
      'with fields in braces, such as "Question: {question}\\nAnswer:" (\\n is a line break)',
    )
    .addOption(
      new Option("--probe <name>", "in place of --task: questions that are made up (docs/evaluation.md)")
        .choices(probeNames)
        .conflicts(["task", "prompt", "target", "score", "shotsFrom", "answerPrefix", "separator"]),
    )
    .option("--seed <n>", "of a probe's questions (default: 0)", wholeNumber(0));
  addSchemaFlags(command, generationTaskOptions, taskStyles);
  addSchemaFlags(command, solveOptions, solveStyles);
  command
    .option("--shots-from <files...>", "where they come from (default: the task's own first rows)")
    .option("--journal <folder>", "keep every answer here; an interrupted run goes on from it")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const call = { signal, onProgress: progress.update };
          await checkJournal(kit, flags.journal, signal);
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const task = await loadTask(model, flags, call);
          const options = { ...schemaOptions(solveOptions, flags, solveStyles), items: true };
          const [{ scores, reused }] = await underPolicy(subnetwork, flags).evaluate(
            [{ kind: "solve", task, ...options }],
            {
              journal: flags.journal,
              ...call,
            },
          );
          const { removed, repairs } = subnetwork;
          return {
            json: { model: model.info, removed, repairs, policy: flags.policy, ...scores, reused },
            text: withTokens(describe(scores, reused), flags, [
              { name: "the first prompt", firstTokens: scores.firstTokens },
            ]),
          };
        }),
      );
    });
}

async function loadTask(model: Model, flags: Flags, call: CallOptions): Promise<GenerationTask> {
  const { task, prompt, probe: name, seed, shotsFrom } = flags;
  const own = schemaOptions(generationTaskOptions, flags, taskStyles);
  if (name !== undefined) {
    const { data, options } = probe(name, { items: own.limit ?? undefined, shots: own.shots, seed });
    return await model.loadGenerationTask(data, { ...options, ...call });
  }
  if (task === undefined || prompt === undefined || seed !== undefined) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      "solve takes --task FILE with --prompt TEMPLATE, or --probe NAME with or without --seed.",
    );
  }
  return await model.loadGenerationTask(task, { ...own, prompt: readEscapes(prompt), shotsFrom, ...call });
}

function describe(scores: GenerationScore, reused: number): string {
  return renderTable(
    [{ title: "answers" }, { title: "" }],
    [
      ["right", `${formatCount(scores.correct)} of ${formatCount(scores.items * scores.samples)}`],
      ["accuracy", share(scores.accuracy, scores.standardError)],
      ...scores.passAt.map(({ k, value, standardError }) => [`pass@${k}`, share(value, standardError)]),
      ...(scores.temperature === 0 ? [] : [["drawn", drawing(scores)]]),
      ["scored by", scores.score],
      ...skipRows(scores.skips),
      ...(scores.rougeL === null
        ? []
        : [["ROUGE-L", share(scores.rougeL.fMeasure, scores.rougeL.standardError)]]),
      ["without a number", formatCount(scores.withoutNumber)],
      ["cut short", `${formatCount(scores.cutShort)} at ${formatCount(scores.maxNewTokens)} tokens`],
      ["tokens written", formatCount(scores.tokens)],
      [
        "time",
        `${formatSeconds(scores.seconds)} at batch size ${scores.batchSize}${fromJournal({ reused })}`,
      ],
    ],
  );
}

function drawing({ samples, temperature, topP, seed }: GenerationScore): string {
  const held = topP < 1 ? `, top p ${topP}` : "";
  return `${samples} per item at temperature ${temperature}${held}, seed ${seed}`;
}
