/** How long a repair takes to fit, by a sample of it on one gap and few sequences. */
import type { Corpus } from "../../../model/corpus.ts";
import type { RepairedSubnetwork } from "../../../model/model.ts";
import type { RepairOptions } from "../../../model/repair.ts";
import type { UnitName } from "../../../protocol/common.ts";
import { trainingOptions } from "../../../protocol/repair.ts";
import { parseUnit } from "../../../protocol/units.ts";
import type { CallOptions } from "../../../rpc/call-options.ts";
import { trains } from "../../checkpoints.ts";
import type { Condition, OpenModel } from "../open.ts";
import { isFailure, orFailure } from "../steps.ts";
import { plus, type Span, spanOf, timed, times } from "./span.ts";

/** Steps of a training that is sampled. */
const sampleSteps = 2;
/** Sequences of the larger sample: from two that lie near each other no line can be drawn far. */
const largerSample = (sequences: number) => Math.min(sequences, Math.max(4, Math.ceil(sequences / 4)));

/** Of one repair's steps, on so many gaps. */
export interface RepairPace {
  seconds(gaps: number): Span;
  /** Numbers that are trained: what checkpoints hold. */
  readonly trained: number;
}

/**
 * On the smallest and the largest of the sets that are repaired; undefined where it applies to neither.
 *
 * A fit passes over every sequence: its time is linear in them, and so it is in gaps. A training takes what
 * two of its steps take, over again.
 */
export async function repairPace(
  opened: OpenModel,
  condition: Condition,
  steps: readonly RepairOptions[],
  sets: readonly (readonly UnitName[])[],
  call: CallOptions,
): Promise<RepairPace | undefined> {
  const sorted = [...sets].sort((a, b) => gapsOf(a) - gapsOf(b));
  const { name: _, data, sequences: __, choose: ___, ...options } = condition.calibration;
  const load = (sequences: number) => opened.model.loadCorpus(data, { ...options, sequences, ...call });
  const { sequences } = condition.measured.info;
  const more = largerSample(sequences);
  await using one = await load(1);
  await using several = await load(more);
  const most = sorted.at(-1) ?? [];
  for (const least of sorted) {
    const sample = async (on: Corpus, removed: readonly UnitName[]) =>
      await fitOnce(opened, on, steps, removed, condition.measured.info, call);
    // The first fit of all warms up.
    const first = await orFailure(() => sample(one, least));
    if (isFailure(first)) continue;
    const few = await sample(one, least);
    const larger = [await sample(several, least), await sample(several, least)];
    const [gaps, allGaps] = [gapsOf(least), gapsOf(most)];
    // What is trained takes its time from its steps, not from its gaps.
    const largest = allGaps === gaps || first.trained > 0 ? few : await orFailure(() => sample(one, most));
    const perGap = isFailure(largest)
      ? 0
      : Math.max(0, largest.fitting - few.fitting) / Math.max(1, allGaps - gaps) / few.fitting;
    const fitting = spanOf(larger.map((fit) => fit.fitting));
    const perSequence = more === 1 ? 0 : Math.max(0, fitting.seconds - few.fitting) / (more - 1);
    const all = fitting.seconds + Math.max(0, sequences - more) * perSequence;
    const whole = times(fitting, all / fitting.seconds);
    const training = spanOf(larger.map((fit) => fit.training));
    return {
      seconds: (count) => plus(times(whole, 1 + Math.max(0, count - gaps) * perGap), training),
      trained: first.trained,
    };
  }
  return undefined;
}

/** Runs of neighbours among units. */
export function gapsOf(removed: readonly UnitName[]): number {
  const blocks = [...new Set(removed.map((unit) => parseUnit(unit).block))].sort((a, b) => a - b);
  return blocks.filter((block, at) => at === 0 || blocks[at - 1] !== block - 1).length;
}

interface Fit {
  /** What grows with the sequences. */
  readonly fitting: number;
  /** All of the training that a plan asks for. */
  readonly training: number;
  readonly trained: number;
}

async function fitOnce(
  opened: OpenModel,
  on: Corpus,
  steps: readonly RepairOptions[],
  removed: readonly UnitName[],
  { sequences, length }: { readonly sequences: number; readonly length: number },
  call: CallOptions,
): Promise<Fit> {
  const made: RepairedSubnetwork[] = [];
  let [fitting, training, trained] = [0, 0, 0];
  try {
    for (const step of steps) {
      const from = made.at(-1) ?? opened.model.without(removed);
      let repaired: RepairedSubnetwork | undefined;
      const seconds = await timed(async () => {
        repaired = await from.repair(on, { ...sampled(step), ...call });
      });
      if (repaired === undefined) continue;
      made.push(repaired);
      const report = repaired.report.training;
      const speed = report?.points.at(-1)?.tokensPerSecond ?? 0;
      const took = report === null || speed === 0 ? 0 : report.tokens / speed;
      fitting += Math.max(0, seconds - took);
      training += speed === 0 ? 0 : trainingTokens(step, sequences, length) / speed;
      trained += report?.trained ?? 0;
    }
  } finally {
    await Promise.all(made.map((one) => one.close()));
  }
  return { fitting, training, trained };
}

function sampled(step: RepairOptions): RepairOptions {
  if (!trains(step)) return step;
  const training = "training" in step ? step.training : undefined;
  const few = { ...training, steps: sampleSteps, validation: 0, patience: null, folder: null };
  return { ...step, training: few } as RepairOptions;
}

/** Tokens of all steps; one that is only scored is a third of one that is learned from. */
function trainingTokens(step: RepairOptions, sequences: number, length: number): number {
  const given = "training" in step ? (step.training ?? {}) : {};
  const { steps, batchSize, accumulation, validation, validateEvery } = trainingOptions.parse(given);
  const held = validation ?? Math.floor(sequences / 8);
  const looks =
    held === 0 ? 0 : Math.ceil(steps / (validateEvery ?? Math.max(1, Math.floor(steps / 10)))) + 1;
  const learned = steps * accumulation * Math.min(batchSize, Math.max(1, sequences - held));
  return length * (learned + (looks * held) / 3);
}
