import type {
  ChoiceScores,
  EvaluationDifference,
  EvaluationResult,
  FiniteOrInfinity,
  LastWordScores,
  Perplexity,
  PolicyOptions,
  Subnetwork,
  TaskInfo,
} from "../index.ts";
import { formatCount, formatNumber, formatSeconds, renderTable } from "../report/index.ts";
import { ownBos } from "./first-tokens.ts";
import { noteLines } from "./notes.ts";
import { skipRows } from "./policy-flag.ts";

/** What `depthkit evaluate` says of one subnetwork. */
export interface EvaluatedSubnetwork extends Pick<Subnetwork, "removed" | "repairs" | "keptBlocks"> {
  perplexity?: Omit<Perplexity, "perItem"> & Reused;
  tasks: EvaluatedTask[];
  /** Under which it was scored. */
  policy?: PolicyOptions;
}

interface Reused {
  /** Chunks, or questions, that the journal had already: the time is that of the others. */
  reused: number;
}

export interface EvaluatedTask extends Reused {
  info: TaskInfo;
  scores: Omit<ChoiceScores, "perItem"> | Omit<LastWordScores, "perItem">;
}

export function describeEvaluation({
  removed,
  repairs,
  keptBlocks,
  perplexity,
  tasks,
  policy,
}: EvaluatedSubnetwork): string {
  const subject = [
    ["removed", removed.length === 0 ? "nothing" : removed.join(", ")],
    ["repaired by", [...new Set(repairs.map(({ method }) => method))].join(", ") || "nothing"],
    ["kept blocks", keptBlocks.join(", ")],
    ...(policy === undefined ? [] : [["policy", JSON.stringify(policy)]]),
  ];
  const rows = perplexity === undefined ? subject : [...subject, ...perplexityRows(perplexity)];
  const first = renderTable(
    [{ title: perplexity === undefined ? "tasks" : "perplexity" }, { title: "" }],
    rows,
  );
  const notes = noteLines(tasks.flatMap(({ scores }) => scores.notes)).join("\n");
  const skipped = tasks.flatMap(({ info, scores }) =>
    skipRows(scores.skips).map(([what, share]) => `${taskName(info)}: ${what} ${share}`),
  );
  return [
    first,
    ...(tasks.length === 0 ? [] : [tasksTable(tasks)]),
    ...skipped,
    ...(notes === "" ? [] : [notes]),
  ].join("\n\n");
}

/** The whole model, what is left of it, and the difference, in one table. */
export function describeDifferences(
  differences: readonly EvaluationDifference[],
  dense: readonly EvaluationResult[],
): string {
  const table = renderTable(
    [
      { title: "" },
      { title: "" },
      { title: "whole model", align: "right" },
      { title: "subnetwork", align: "right" },
      { title: "difference", align: "right" },
    ],
    differences.map(({ name, measure, before, after, difference, standardError }) => [
      name,
      measure,
      formatNumber(before, 6),
      formatNumber(after, 6),
      signed(difference, standardError),
    ]),
  );
  const reused = dense.reduce((sum, one) => sum + one.reused, 0);
  return [
    table,
    `Differences are paired by chunk and by question; +- is their standard error.${
      reused === 0 ? "" : ` Of the whole model: ${fromJournal({ reused }).slice(2)}.`
    }`,
  ].join("\n\n");
}

function signed(difference: number, error: number | null): string {
  const sign = difference > 0 ? "+" : "";
  return `${sign}${formatNumber(difference)}${error === null ? "" : ` +- ${formatNumber(error, 2)}`}`;
}

function perplexityRows(perplexity: Omit<Perplexity, "perItem"> & Reused): string[][] {
  const optional = (value: FiniteOrInfinity | null) =>
    value === null ? "not defined here" : formatNumber(Number(value));
  return [
    ["perplexity", formatNumber(Number(perplexity.perplexity), 6)],
    ["loss", `${formatNumber(perplexity.loss, 6)} nats per token`],
    ["mean of sequences", formatNumber(Number(perplexity.meanOfSequences), 6)],
    ...skipRows(perplexity.skips),
    ["word perplexity", optional(perplexity.wordPerplexity)],
    ["bits per byte", optional(perplexity.bitsPerByte)],
    [
      "text",
      `${perplexity.data.files.join(", ") || "given"} (sha256 ${perplexity.data.digest.slice(0, 12)}, ` +
        `rows ${perplexity.rows})`,
    ],
    ["chunks", `${perplexity.chunks} of ${perplexity.chunk} tokens, stride ${perplexity.stride}`],
    [
      "BOS",
      `${perplexity.bos}: ${perplexity.bosAdded ? "added to each chunk" : "not added"}` +
        ownBos(perplexity.bosInText, "chunks"),
    ],
    [
      "tokens",
      `${formatCount(perplexity.tokensScored)} scored, ${formatCount(perplexity.tokensDropped)} left out ` +
        `at the end, ${formatCount(perplexity.tokensTotal)} in all`,
    ],
    [
      "time",
      `${formatSeconds(perplexity.seconds)} at batch size ${perplexity.batchSize}${fromJournal(perplexity)}`,
    ],
  ];
}

function tasksTable(tasks: readonly EvaluatedTask[]): string {
  return renderTable(
    [
      { title: "task" },
      { title: "items", align: "right" },
      { title: "shots", align: "right" },
      { title: "accuracy", align: "right" },
      { title: "by characters", align: "right" },
      { title: "by bytes", align: "right" },
      { title: "mean of groups", align: "right" },
      { title: "loss", align: "right" },
      { title: "time", align: "right" },
    ],
    tasks.map(({ info, scores, reused }) => [
      taskName(info),
      formatCount(scores.items),
      String(info.shots),
      ...("choiceLoss" in scores
        ? [
            share(scores.acc.micro, scores.acc.standardError),
            share(scores.accNormChars.micro),
            share(scores.accNormBytes.micro),
            scores.acc.macro === null ? "" : share(scores.acc.macro),
            `${formatNumber(scores.choiceLoss)} a choice`,
          ]
        : [share(scores.acc, scores.standardError), "", "", "", `${formatNumber(scores.loss)} per token`]),
      `${formatSeconds(scores.seconds)}${fromJournal({ reused })}`,
    ]),
  );
}

/** A task's format, and how it is asked where that is not as plain text. */
const taskName = ({ format, chatTemplate }: TaskInfo) =>
  chatTemplate ? `${format} (chat template)` : format;

/** How many items a result took from the journal, behind its time, which is that of the others. */
export function fromJournal({ reused }: Reused): string {
  return reused === 0 ? "" : `, ${formatCount(reused)} taken from the journal`;
}

/** A share, or another number of its size, with its standard error where there is one. */
export function share(value: number, error: number | null = null): string {
  return error === null ? value.toFixed(4) : `${value.toFixed(4)} +- ${error.toFixed(4)}`;
}
