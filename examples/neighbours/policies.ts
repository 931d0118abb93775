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

export type Skipping = Extract<PolicyOptions, { kind: "feed-forward-skipping" }>;

/**
 * Window and thresholds by how many feed-forwards they skip on the calibration's text: no loss is looked at.
 */
export async function proposePolicies(
  model: Model,
  calibration: TextData,
  quick: boolean,
): Promise<Skipping[]> {
  await using corpus = await model.loadCorpus(calibration, { sequences: 8, length: quick ? 64 : length });
  const window = proposeSkipWindow(await model.influence(corpus, { units: "feed-forward" }));
  const step = quick ? 0.02 : 0.01;
  const found: { policy: Skipping; share: number }[] = [];
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
  const nearest = shares.flatMap(
    (share) =>
      found.toSorted((a, b) => Math.abs(a.share - share) - Math.abs(b.share - share))[0]?.policy ?? [],
  );
  return [...new Set(nearest)];
}

const nameOf = (text: string, { threshold }: Skipping) => `${text}, threshold ${threshold}`;

/** The whole model under each policy, on each text. */
export const policyEvaluations = (
  texts: Readonly<Record<string, TextData>>,
  policies: readonly Skipping[],
  quick: boolean,
): Plan["evaluations"] =>
  Object.entries(texts).flatMap(([text, data]) =>
    policies.map((policy) => ({
      kind: "perplexity",
      name: nameOf(text, policy),
      data,
      chunk: quick ? 64 : length,
      maxChunks: quick ? 2 : 12,
      policy,
      controls: true,
      where: { counts: [0] },
    })),
  );

export function policiesOf(
  record: StudyRecord,
  texts: readonly string[],
  policies: readonly Skipping[],
): Verdict[] {
  return policies.flatMap((policy) => {
    const values = texts.map((text) => {
      const result = record.results.find(({ evaluation }) => evaluation === nameOf(text, policy));
      return { text, of: result?.values ?? {} };
    });
    /** What is said to be above 0: a control's loss less the policy's, on every text. */
    const measured = (control: string, margin = 0): Measured[] =>
      values.map(({ text, of }) => {
        const { value, standardError } = of[`${control} above policy`] ?? {};
        return { text, difference: margin + (value ?? Number.NaN), standardError: standardError ?? null };
      });
    const skipped = values.map(({ of }) => Math.round(100 * (of["skipped"]?.value ?? Number.NaN)));
    const [least, most] = [Math.min(...skipped), Math.max(...skipped)];
    const much = `${least === most ? "" : `${least} to `}${most}% of the feed-forwards`;
    const less = "less the policy's at an equal share, paired by chunk";
    const claim = (words: string, evidence: string, on: readonly Measured[]) =>
      verdictOf(`Skipping ${much} by the stream ${words}.`, evidence, on, "policies");
    return [
      claim(
        "beats a static mask",
        `Loss of the mask that skips for every token what the policy skips most, ${less}.`,
        measured("static mask"),
      ),
      claim(
        "beats random skips",
        `Loss of random skips, the mean of three seeds, ${less}.`,
        measured("random skips"),
      ),
      claim(
        `costs less than ${marginal} nats`,
        `${marginal} nats less what the policy costs, paired by chunk.`,
        measured("whole", marginal),
      ),
    ];
  });
}
