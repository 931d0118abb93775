/** What an evaluation has of a policy: nothing here is loaded, so that reports read it too. */
import type { ComparedPolicy, LossDifference, PolicyComparison } from "../../model/compare-policy.ts";
import type { Policy, Skips } from "../../protocol/policies.ts";
import type { Measured } from "./record.ts";

/** What subnetworks follow on an evaluation. */
export const policyOf = (evaluation: Evaluated): Policy | undefined => evaluation.policy;

interface Evaluated {
  readonly kind: string;
  readonly policy?: Policy | undefined;
}

/** The share of all feed-forwards that a policy skipped. */
export const skipped = (skips: Skips | null): Record<string, Measured> =>
  skips === null ? {} : { skipped: { value: skips.share, standardError: null } };

/** What a policy is measured beside, and how much more loss than the policy's each has. */
export const policyControls = ["whole", "static mask", "random skips"] as const;

export function besideControls({
  whole,
  fixed,
  random,
  randomDifference,
}: PolicyComparison): Record<string, Measured> {
  const shareOf = (controls: readonly ComparedPolicy[]): Measured => {
    const shares = controls.map(({ perplexity }) => perplexity.skips?.share ?? Number.NaN);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    return { value: Number.isFinite(mean) ? mean : null, standardError: null };
  };
  const above = (difference: LossDifference | null): Measured => ({
    value: difference !== null && Number.isFinite(difference.difference) ? difference.difference : null,
    standardError: difference?.standardError ?? null,
  });
  const [all, mask, lot] = policyControls;
  return {
    [`${all} above policy`]: above(whole.lossDifference),
    [`${mask} above policy`]: above(fixed.lossDifference),
    [`${lot} above policy`]: above(randomDifference),
    [`skipped by ${mask}`]: shareOf([fixed]),
    [`skipped by ${lot}`]: shareOf(random),
  };
}
