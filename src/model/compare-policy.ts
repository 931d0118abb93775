import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { compareEvaluations } from "../evaluation/compare-evaluations.ts";
import { type Perplexity, type PerplexityOptions, scorePerplexity } from "../evaluation/perplexity.ts";
import type { Subject } from "../evaluation/subject.ts";
import type { TextData } from "../evaluation/text-data.ts";
import { aText, aWhole, checkArgument, listOf } from "../options.ts";
import type { UnitName } from "../protocol/common.ts";
import { perplexityOptions } from "../protocol/evaluation.ts";
import type { Policy, Skips } from "../protocol/policies.ts";
import { profileOptions } from "../protocol/profiling.ts";
import { parseUnit } from "../protocol/units.ts";
import { optionsOf } from "../rpc/parse-params.ts";
import { withTimeLimit, workerCallChecks } from "../rpc/time-limit.ts";
import { ranking } from "../selection/rank.ts";
import { type Profile, type ProfileOptions, profileSubnetwork } from "./profile.ts";

export interface ComparePolicyOptions extends PerplexityOptions {
  /** Of the random skips, one control each. Default: 0, 1, 2. */
  seeds?: readonly number[] | undefined;
  /**
   * Which feed-forwards the static mask takes first, such as `influence.lowest(20)`. Default: those that the
   * policy itself skips most on this text.
   */
  order?: readonly UnitName[] | undefined;
  /** Also time all of them so. Default: they are not timed. */
  profile?: Omit<ProfileOptions, "modes"> | undefined;
}

/** One of those that are compared. */
export interface ComparedPolicy {
  /** Null: the subnetwork without one. */
  policy: Policy | null;
  perplexity: Perplexity;
  /** Its loss less the compared policy's, paired by chunk; null for that policy itself. */
  lossDifference: LossDifference | null;
  /** Where `profile` asked for it. */
  profile?: Profile;
}

/** Feed-forward skipping beside its controls: what reads the stream has to beat what reads nothing. */
export interface PolicyComparison {
  /** The subnetwork with all that it has. */
  whole: ComparedPolicy;
  /** The policy that was asked about. */
  policy: ComparedPolicy;
  /** The same feed-forwards for every token, as many as come nearest to the share. */
  fixed: ComparedPolicy;
  /** Feed-forwards by lot at that share, one for each seed. */
  random: ComparedPolicy[];
  /** The loss of random skips, the mean of all seeds, less the policy's, paired by chunk. */
  randomDifference: LossDifference;
}

/** How much more loss one has, in nats per token; without a standard error where there is one chunk. */
export interface LossDifference {
  difference: number;
  standardError: number | null;
}

const call = "comparePolicy";
const checked = optionsOf(perplexityOptions.omit({ items: true }), {
  ...workerCallChecks,
  seeds: listOf(aWhole(0), 1),
  order: listOf(aText, 1),
  profile: optionsOf(profileOptions.omit({ modes: true }), {}),
});

export async function comparePolicy(
  on: Subject,
  policy: Policy,
  data: TextData,
  options: ComparePolicyOptions,
): Promise<PolicyComparison> {
  checkArgument(call, "", options, checked);
  if (policy.kind !== "feed-forward-skipping") {
    throw refusal(`a policy of the kind ${policy.kind} has no controls; feed-forward-skipping has`);
  }
  return withTimeLimit(call, options, async (signal) => {
    const { seeds = [0, 1, 2], order, profile, ...given } = options;
    const scored = { ...given, signal, items: true };
    const asked = async (policy: Policy | null) => {
      const subject = { ...on, policy: policy ?? undefined };
      const perplexity = await scorePerplexity(subject, data, scored);
      if (profile === undefined) return { policy, perplexity };
      return { policy, perplexity, profile: await profileSubnetwork(subject, { ...profile, signal }) };
    };
    const own = await asked(policy);
    const { fixed, random } = controlsOf(on, policy, own.perplexity.skips, order);
    const beside = async (other: Policy | null): Promise<ComparedPolicy> => {
      const one = await asked(other);
      return { ...one, lossDifference: lossDifference(own.perplexity, one.perplexity) };
    };
    const controls: ComparedPolicy[] = [];
    for (const seed of seeds) controls.push(await beside({ ...random, seed }));
    return {
      whole: await beside(null),
      policy: { ...own, lossDifference: null },
      fixed: await beside(fixed),
      random: controls,
      randomDifference: lossDifference(own.perplexity, meanOf(controls.map((one) => one.perplexity))),
    };
  });
}

/** Chunk by chunk, of scores on the same chunks. */
function meanOf(scores: readonly Perplexity[]): Perplexity {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const first = item(scores, 0);
  const perItem = first.perItem?.map(({ tokens }, chunk) => ({
    tokens,
    loss: mean(scores.map((one) => one.perItem?.[chunk]?.loss ?? Number.NaN)),
  }));
  return {
    ...first,
    loss: mean(scores.map(({ loss }) => loss)),
    ...(perItem === undefined ? {} : { perItem }),
  };
}

type Skipping = Extract<Policy, { kind: "feed-forward-skipping" }>;

function controlsOf(
  { removed }: Subject,
  { start, end, warmUp }: Skipping,
  skips: Skips | null,
  order: readonly UnitName[] | undefined,
): { fixed: Policy; random: Extract<Policy, { kind: "random-skipping" }> } {
  const share = skips?.shareOfCandidates ?? 0;
  if (skips === null || share === 0) {
    throw refusal("the policy skipped nothing on this text. Lower its threshold, or its warm-up");
  }
  const gone = new Set(
    removed.map(parseUnit).flatMap(({ kind, block }) => (kind === "attention" ? [] : block)),
  );
  const inWindow = (block: number) => start <= block && block < end && !gone.has(block);
  const blocks = (order === undefined ? mostSkipped(skips) : feedForwards(order)).filter(inWindow);
  const candidates = Array.from({ length: end - start }, (_, place) => start + place).filter(inWindow);
  const most = Math.max(1, Math.round(share * candidates.length));
  if (blocks.length < most) {
    throw refusal(
      `the static mask takes ${most} feed-forwards of the blocks ${start} to ${end - 1}, and the order has ` +
        `${blocks.length} of them`,
    );
  }
  const taken = blocks.slice(0, most).sort((a, b) => a - b);
  return {
    fixed: { kind: "fixed-skipping", blocks: taken, warmUp },
    random: { kind: "random-skipping", start, end, share, seed: 0, warmUp },
  };
}

const mostSkipped = ({ byBlock }: Skips) => ranking(byBlock.map((share) => -share));

function feedForwards(order: readonly UnitName[]): number[] {
  const units = order.map(parseUnit);
  const other = units.findIndex(({ kind }) => kind !== "feed-forward");
  if (other >= 0) throw refusal(`order: ${order[other]} is no feed-forward`);
  return [...new Set(units.map(({ block }) => block))];
}

/** Of the second less the first. */
function lossDifference(one: Perplexity, other: Perplexity): LossDifference {
  const result = (scores: Perplexity) => [
    { kind: "perplexity", name: "perplexity", scores, items: scores.chunks, reused: 0 } as const,
  ];
  const found = compareEvaluations(result(one), result(other)).find(({ measure }) => measure === "loss");
  if (found === undefined) throw new DepthkitError("INTERNAL", "Two perplexities have no loss to compare.");
  return { difference: found.difference, standardError: found.standardError };
}

function refusal(words: string): DepthkitError {
  return new DepthkitError("INVALID_ARGUMENT", `Comparing a policy with its controls: ${words}.`);
}
