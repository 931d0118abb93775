import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { PolicyOptions, PolicySubnetwork, Skips, Subnetwork } from "../index.ts";

/** A flag of the commands that score, write and time under a policy. */
export interface PolicyFlag {
  policy?: PolicyOptions;
}

export function addPolicyFlag(command: Command): Command {
  return command.option(
    "--policy <json>",
    "what skips units while the model runs, as JSON or a .json file (docs/policies.md)",
    readPolicy,
  );
}

/** What it says is looked at where it is put to use. */
function readPolicy(given: string): PolicyOptions {
  try {
    return JSON.parse(given.trimStart().startsWith("{") ? given : readFileSync(given, "utf8"));
  } catch (error) {
    throw new InvalidArgumentError(
      `${(error as Error).message}. Give JSON such as {"kind":"feed-forward-skipping","start":3,"end":28,` +
        `"threshold":0.98,"run":1}, or the path of a file of it.`,
    );
  }
}

/** The subnetwork under the policy, or itself without one. */
export const underPolicy = (subnetwork: Subnetwork, { policy }: PolicyFlag): Subnetwork | PolicySubnetwork =>
  policy === undefined ? subnetwork : subnetwork.withPolicy(policy);

/** As rows of a table; none without a policy. */
export function skipRows(skips: Skips | null): string[][] {
  if (skips === null) return [];
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
  const { share, shareOfCandidates } = skips;
  const all = share === null ? "of no token that was run" : `${percent(share)} of all feed-forwards`;
  const own = shareOfCandidates === null ? "" : `, ${percent(shareOfCandidates)} of those it is about`;
  return [["skipped", `${all}${own}`]];
}
