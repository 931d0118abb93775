/** Feed-forward skipping (arXiv 2404.03865) beside a static mask and random skips of equal share. */

import type { TextData } from "depthkit";
import { type Model, type Plan, type PolicyOptions, proposeSkipWindow, type StudyRecord } from "depthkit";
import type { Verdict } from "depthkit/report";
import { type Measured, verdictOf } from "./verdict.ts";

/** Of all feed-forwards: the paper skips 25 to 30% of a model fifty times as large. */
const shares = [0.1, 0.25];
/** Nats: what costs less than this costs little. */
const marginal = 0.1;
const length = 128;

export interface Proposed {
  /** Of all feed-forwards, what it is to skip. */
  readonly share: number;
  readonly policy: PolicyOptions;
}

/** Window and thresholds by how many feed-forwards they skip on the calibration's text: no loss is looked at. */
export async function proposePolicies(
  model: Model,
  calibration: TextData,
  quick: boolean,
): Promise<Proposed[]> {
  await using corpus = await model.loadCorpus(calibration, { sequences: 8, length: quick ? 64 : length });
  const window = proposeSkipWindow(await model.influence(corpus, { units: "feed-forward" }));
  const step = quick ? 0.02 : 0.01;
  const found: { policy: PolicyOptions; share: number }[] = [];
  for (let threshold = 0.99; threshold > 0.92; threshold -= step) {
    const policy = {
      kind: "feed-forward-skipping",
      ...window,
      threshold: Number(threshold.toFixed(3)),
      run: 1,
    } as const;
    const { skips } = await model.withPolicy(policy).measure(corpus);
    found.push({ policy, share: skips.share ?? 0 });
  }
  return shares.map((share) => {
    const nearest = found.toSorted((a, b) => Math.abs(a.share - share) - Math.abs(b.share - share))[0];
    if (nearest === undefined) throw new Error("No threshold was tried.");
    return { share, policy: nearest.policy };
  });
}

const nameOf = (text: string, share: number) => `${text}, ${100 * share}% skipped`;

/** The whole model under each policy, on each text. */
export const policyEvaluations = (
  texts: Readonly<Record<string, TextData>>,
  proposed: readonly Proposed[],
  quick: boolean,
): Plan["evaluations"] =>
  Object.entries(texts).flatMap(([text, data]) =>
    proposed.map(({ share, policy }) => ({
      kind: "perplexity",
      name: nameOf(text, share),
      data,
      chunk: quick ? 64 : length,
      maxChunks: quick ? 2 : 12,
      policy,
      controls: true,
      where: { counts: [0] },
    })),
  );

export function policiesOf(record: StudyRecord, texts: readonly string[]): Verdict[] {
  /** What is said to be above 0: a control's loss less the policy's, on every text. */
  const measured = (share: number, control: string, margin = 0): Measured[] =>
    texts.map((text) => {
      const result = record.results.find(({ evaluation }) => evaluation === nameOf(text, share));
      const { value, standardError } = result?.values[`${control} above policy`] ?? {};
      return { text, difference: margin + (value ?? Number.NaN), standardError: standardError ?? null };
    });
  const claim = (words: string, evidence: string, on: readonly Measured[]) =>
    verdictOf(words, evidence, on, "policies");
  return shares.flatMap((share) => {
    const skipped = `${100 * share}% of the feed-forwards`;
    const less = "less the policy's at an equal share, paired by chunk";
    return [
      claim(
        `Skipping ${skipped} by the stream beats a static mask.`,
        `Loss of the mask that skips for every token what the policy skips most, ${less}.`,
        measured(share, "static mask"),
      ),
      claim(
        `Skipping ${skipped} by the stream beats random skips.`,
        `Loss of random skips, the mean of three seeds, ${less}.`,
        measured(share, "random skips"),
      ),
      claim(
        `Skipping ${skipped} by the stream costs less than ${marginal} nats.`,
        `${marginal} nats less what the policy costs, paired by chunk.`,
        measured(share, "whole", marginal),
      ),
    ];
  });
}
