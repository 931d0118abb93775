import { type Command, Option } from "commander";
import {
  formatCount,
  formatSeconds,
  type GenerationScore,
  type GenerationScoreRule,
  renderTable,
} from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { share } from "./evaluation-text.ts";
import { escapedText, wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  task: string[];
  prompt: string;
  target: string;
  score: GenerationScoreRule;
  shots: number;
  shotsFrom: string[];
  limit?: number;
  maxNewTokens: number;
  stop?: string[];
  chat: boolean;
  batchSize: number;
  journal?: string;
}

export function registerSolve(program: Command): void {
  const command = program
    .command("solve")
    .description(
      "Let the model, or what is left of it, write answers to questions, and count the right ones.",
    );
  addSubjectFlags(command)
    .requiredOption("--task <files...>", "questions, one JSON object a line: .jsonl or .jsonl.gz")
    .requiredOption(
      "--prompt <template>",
      'with fields in braces, such as "Question: {question}\\nAnswer:" (\\n is a line break)',
    )
    .option("--target <field>", "the field that holds the right answer", "answer")
    .addOption(
      new Option("--score <rule>", "exact: the same text; number: the same number is found in both")
        .choices(["exact", "number"])
        .default("exact"),
    )
    .option("--shots <n>", "worked examples in front of every question", wholeNumber(0), 0)
    .option("--shots-from <files...>", "where they come from (default: the task's own first rows)", [])
    .option("--limit <n>", "ask the first so many", wholeNumber(1))
    .option("--max-new-tokens <n>", "tokens an answer at most", wholeNumber(1), 256)
    .option("--stop <texts...>", "an answer ends at one of these (default: what separates examples)")
    .option("--chat", "wrap each prompt as a user's turn in the model's chat template", false)
    .option("--batch-size <n>", "questions at a time", wholeNumber(1), 8)
    .option("--journal <folder>", "keep every answer here; an interrupted run goes on from it")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const task = await model.loadGenerationTask(flags.task, {
            prompt: escapedText(flags.prompt),
            target: flags.target,
            score: flags.score,
            shots: flags.shots,
            shotsFrom: flags.shotsFrom,
            ...(flags.limit === undefined ? {} : { items: flags.limit }),
            ...call,
          });
          const { maxNewTokens, chat, batchSize, stop, journal } = flags;
          const [{ scores }] = await subnetwork.evaluate(
            [
              {
                kind: "solve",
                task,
                maxNewTokens,
                chat,
                batchSize,
                answers: true,
                ...(stop === undefined ? {} : { stop: stop.map(escapedText) }),
              },
            ],
            { ...(journal === undefined ? {} : { journal }), ...call },
          );
          const { removed, repairs } = subnetwork;
          return { json: { model: model.info, removed, repairs, ...scores }, text: describe(scores) };
        }),
      );
    });
}

function describe(scores: GenerationScore): string {
  return renderTable(
    [{ title: "answers" }, { title: "" }],
    [
      ["right", `${formatCount(scores.correct)} of ${formatCount(scores.items)}`],
      ["accuracy", share(scores.accuracy, scores.standardError)],
      ["scored by", scores.score],
      ["without a number", formatCount(scores.withoutNumber)],
      ["cut short", `${formatCount(scores.cutShort)} at ${formatCount(scores.maxNewTokens)} tokens`],
      ["tokens written", formatCount(scores.tokens)],
      ["time", `${formatSeconds(scores.seconds)} at batch size ${scores.batchSize}`],
    ],
  );
}
