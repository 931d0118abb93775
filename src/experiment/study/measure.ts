/** What subnetworks have on one evaluation of a plan. */
import { z } from "zod";
import { choiceLoss } from "../../evaluation/compare-evaluations.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import type { SolveOptions } from "../../evaluation/written-answers.ts";
import { Corpus } from "../../model/corpus.ts";
import { GenerationTask } from "../../model/generation-task.ts";
import type { Subnetwork } from "../../model/model.ts";
import type { PolicySubnetwork } from "../../model/policy.ts";
import { Task } from "../../model/task.ts";
import { solveOptions } from "../../protocol/generation-task.ts";
import type { Measure } from "../../protocol/subnetworks.ts";
import type { CallOptions, Own } from "../../rpc/call-options.ts";
import { deviationOf, meanOf } from "../../selection/choice-certainty.ts";
import type { OpenEvaluation } from "./open.ts";
import type { SettledEvaluation } from "./plan.ts";
import { besideControls, policyOf, skipped } from "./policed.ts";
import { type Measured, type Outcome, outcomeSchema } from "./record.ts";

/** What a step of measuring leaves in the journal. */
export const takenSchema = z.object({
  outcome: outcomeSchema,
  /** What the figures hold for. */
  protocol: z.record(z.string(), z.unknown()),
  seconds: z.number(),
  blockEvaluations: z.number().nullable(),
  /** Speed and memory, where that is what was measured. */
  profile: z.unknown().optional(),
});
export type Taken = z.output<typeof takenSchema>;

/** Whether all subnetworks are measured together, what they share being computed once. */
export const isShared = (opened: OpenEvaluation): opened is Shared =>
  policyOf(opened.evaluation) === undefined && (opened.data instanceof Corpus || opened.data instanceof Task);

export type Shared = OpenEvaluation & { readonly data: Corpus | Task };

const measuresOf = (data: Corpus | Task): Measure[] =>
  data instanceof Corpus ? ["loss"] : [...data.measures];

/**
 * Measures subnetworks on text or on questions, all together; `keep` hears of each as it is finished.
 *
 * @throws DepthkitError what `evaluateSubnetworks` throws
 */
export async function measureTogether(
  opened: Shared,
  subnetworks: readonly Subnetwork[],
  keep: (place: number, taken: Taken) => Promise<void>,
  call: CallOptions,
): Promise<void> {
  const { data } = opened;
  const [first] = subnetworks;
  if (first === undefined) return;
  const measures = measuresOf(data);
  const evaluation = first.model.evaluateSubnetworks(data, subnetworks, {
    measures,
    bySequence: true,
    ...call,
  });
  let [at, left] = [performance.now(), subnetworks.length];
  for await (const { index, values, bySequence = {} } of evaluation) {
    const now = performance.now();
    const [primary = "loss"] = measures;
    const own = [...(bySequence[primary] ?? [])];
    const entries = measures.map((measure): [string, Measured] => [
      measure,
      { value: finite(values[measure]), standardError: errorOf([...(bySequence[measure] ?? [])]) },
    ]);
    left -= 1;
    const blockEvaluations = left === 0 ? (await evaluation.result).blockEvaluations : null;
    await keep(index, {
      outcome: {
        values:
          data instanceof Corpus ? ofText(Object.fromEntries(entries), own) : Object.fromEntries(entries),
        perItem: own.map(finite),
      },
      protocol: protocolOf(opened),
      seconds: (now - at) / 1000,
      blockEvaluations,
    });
    at = now;
  }
}

/** Beside the perplexity the mean over sequences of exp(loss), which arXiv 2407.16286 reports. */
const ofText = (values: Record<string, Measured>, losses: readonly number[]): Record<string, Measured> => {
  const each = losses.map(Math.exp);
  const meanOfSequences = { value: finite(meanOf(each)), standardError: errorOf(each) };
  return { ...withPerplexity(values), meanOfSequences };
};

/** Of losses in nats; the error by its derivative. */
function withPerplexity(values: Record<string, Measured>): Record<string, Measured> {
  const { value = null, standardError = null } = values["loss"] ?? {};
  const perplexity = value === null ? null : finite(Math.exp(value));
  const error = perplexity === null || standardError === null ? null : finite(perplexity * standardError);
  return { ...values, perplexity: { value: perplexity, standardError: error } };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** Of a mean over items; null for one item, and where one has no number. */
function errorOf(items: readonly number[]): number | null {
  return items.length < 2 ? null : finite(deviationOf(items) / Math.sqrt(items.length));
}

/** How much higher one's items are than the other's, item by item. */
export function pairedAbove(items: Outcome["perItem"], than: Outcome["perItem"]): Measured | null {
  if (items === null || than === null || items.length !== than.length) return null;
  const differences = items.map((one, at) => (one ?? Number.NaN) - (than[at] ?? Number.NaN));
  return { value: finite(meanOf(differences)), standardError: errorOf(differences) };
}

/** What the figures on shared data hold for. */
function protocolOf({ evaluation, data }: Shared) {
  if (data instanceof Task) return { evaluation: evaluation.kind, ...data.info };
  const { sequences, length, tokens, ...info } = data.info;
  return {
    evaluation: evaluation.kind,
    ...info,
    chunks: sequences,
    chunk: length,
    stride: length,
    // Of each chunk all tokens but its first are scored.
    tokensScored: tokens - sequences,
  };
}

/**
 * Measures one subnetwork by a call of its own.
 *
 * @throws DepthkitError what that call throws
 */
export async function measureAlone(
  { evaluation, data }: OpenEvaluation,
  subnetwork: Subnetwork,
  { journal, ...call }: CallOptions & { journal: string },
): Promise<Taken> {
  const policy = policyOf(evaluation);
  const subject = policy === undefined ? subnetwork : subnetwork.withPolicy(policy);
  // Of items that a journal had it is not known what was skipped.
  const kept = policy === undefined ? { journal, ...call } : call;
  const done = (outcome: Outcome, protocol: object, seconds: number, profile?: unknown): Taken => ({
    outcome,
    protocol: { evaluation: evaluation.kind, ...protocol, ...(policy === undefined ? {} : { policy }) },
    seconds,
    blockEvaluations: null,
    ...(profile === undefined ? {} : { profile }),
  });
  switch (evaluation.kind) {
    case "perplexity": {
      const { kind, name: __, where: ___, data: text, policy: ____, controls, ...options } = evaluation;
      const asked = { kind, data: text as TextData, items: true, ...options };
      const beside =
        controls === true && "compare" in subject
          ? await subject.compare(text as TextData, { ...options, ...call })
          : undefined;
      const scores = beside?.policy.perplexity ?? (await subject.evaluate([asked], kept))[0].scores;
      const {
        perplexity: _,
        loss,
        meanOfSequences,
        wordPerplexity,
        bitsPerByte,
        perItem,
        skips,
        ...protocol
      } = scores;
      const { seconds, ...said } = protocol;
      const own = perItem?.map((chunk) => chunk.loss / chunk.tokens) ?? [];
      const values = {
        ...withPerplexity({ loss: { value: loss, standardError: errorOf(own) } }),
        ...measured({ meanOfSequences, wordPerplexity, bitsPerByte }),
        ...skipped(skips),
        ...(beside === undefined ? {} : besideControls(beside)),
      };
      return done({ values, perItem: own }, said, seconds);
    }
    case "written":
    case "probe": {
      if (!(data instanceof GenerationTask)) throw notOpen(evaluation.name);
      const [{ scores }] = await subject.evaluate(
        [{ kind: "solve", task: data, ...solvingOf(evaluation), items: true }],
        kept,
      );
      const { accuracy, standardError, rougeL, passAt, perItem, skips, seconds, ...protocol } = scores;
      const values = {
        ...(rougeL === null
          ? {}
          : { "rouge-l": { value: rougeL.fMeasure, standardError: rougeL.standardError } }),
        accuracy: { value: accuracy, standardError },
        ...Object.fromEntries(
          passAt.map(({ k, ...one }) => [
            `pass@${k}`,
            { value: one.value, standardError: one.standardError },
          ]),
        ),
        ...skipped(skips),
      };
      const { correct: _, tokens: __, withoutNumber: ___, cutShort: ____, ...said } = protocol;
      const own = (perItem ?? []).map(({ rougeL: f, correct }) => f ?? (correct ? 1 : 0));
      return done({ values, perItem: inItems(own, scores.samples) }, { ...data.info, ...said }, seconds);
    }
    case "lm-eval": {
      const { kind: _, name: __, where: ___, ...options } = evaluation;
      const { tasks, seconds, ...protocol } = await subnetwork.lmEval({ ...options, ...call });
      const values = tasks.flatMap(({ task, metrics }) =>
        metrics.map(({ name, filter, value, standardError }): [string, Measured] => [
          [task, name, ...(filter === "none" ? [] : [filter])].join(" "),
          { value, standardError },
        ]),
      );
      const about = tasks.map(({ metrics: _, ...one }) => one);
      return done(
        { values: Object.fromEntries(values), perItem: null },
        { ...protocol, tasks: about },
        seconds,
      );
    }
    case "profile": {
      const { kind: _, name: __, where: ___, policy: ____, ...options } = evaluation;
      const started = performance.now();
      const profile = await subject.profile({ ...options, ...call });
      const seconds = (performance.now() - started) / 1000;
      return done({ values: {}, perItem: null }, options, seconds, profile);
    }
    case "questions": {
      if (!(data instanceof Task) || policy === undefined) throw notOpen(evaluation.name);
      return done(...(await answered(subject, data, call)));
    }
  }
}

type Answered = [outcome: Outcome, protocol: object, seconds: number];

/** Questions as `measureTogether` has them, by a call that follows a policy. */
async function answered(
  subject: Subnetwork | PolicySubnetwork,
  task: Task,
  call: CallOptions,
): Promise<Answered> {
  const of = (items: readonly number[]): Measured => ({
    value: finite(meanOf(items)),
    standardError: errorOf(items),
  });
  if (task.info.kind === "last-word") {
    const { perItem = [], skips, seconds } = await subject.lastWord(task, { items: true, ...call });
    const right = perItem.map((item) => Number(item.right));
    const loss = of(perItem.map(({ logLikelihood }) => -logLikelihood));
    const values = { accuracy: of(right), loss, ...skipped(skips) };
    return [{ values, perItem: right }, task.info, seconds];
  }
  const { perItem = [], skips, seconds } = await subject.choices(task, { items: true, ...call });
  const right = perItem.map(({ chosen, answer }) => Number(chosen === answer));
  const values = { accuracy: of(right), "choice-loss": of(perItem.map(choiceLoss)), ...skipped(skips) };
  return [{ values, perItem: right }, task.info, seconds];
}

type Written = Extract<SettledEvaluation, { kind: "written" | "probe" }>;

/** How the questions are answered; what they are was said when they were read. */
function solvingOf(evaluation: Written): Own<SolveOptions> {
  if (evaluation.kind === "probe") return { maxNewTokens: evaluation.maxNewTokens };
  return solveOptions.strip().parse(evaluation);
}

/** The mean of each item's samples, which stand one after the other. */
const inItems = (values: readonly number[], samples: number): number[] =>
  Array.from({ length: values.length / samples }, (_, at) =>
    meanOf(values.slice(at * samples, (at + 1) * samples)),
  );

const notOpen = (name: string) => new Error(`The evaluation "${name}" was not opened.`);

/** What a text has, where it can be told: words and bytes cannot always be. */
function measured(values: Readonly<Record<string, number | "Infinity" | null>>): Record<string, Measured> {
  const told = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(
    told.map(([name, value]) => [
      name,
      { value: typeof value === "number" ? value : null, standardError: null },
    ]),
  );
}
