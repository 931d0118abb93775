/** A subnetwork under a policy: from what a token or a sequence has seen so far to the units that run. */
import type { z } from "zod";
import {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationResults,
  evaluate,
} from "../evaluation/evaluate.ts";
import { type Perplexity, type PerplexityOptions, scorePerplexity } from "../evaluation/perplexity.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import {
  type ChoiceScores,
  type ChoicesOptions,
  type LastWordOptions,
  type LastWordScores,
  scoreChoices,
  scoreLastWord,
} from "../evaluation/task-scores.ts";
import type { TextData } from "../evaluation/text-data.ts";
import { type SolveOptions, solveTask } from "../evaluation/written-answers.ts";
import type { UnitName } from "../protocol/common.ts";
import type { GenerateResult } from "../protocol/generation.ts";
import type { GenerationScore } from "../protocol/generation-task.ts";
import {
  type Policy,
  type PolicyOptions,
  type policyMeasureOptions,
  policy as policySchema,
  type Skips,
} from "../protocol/policies.ts";
import type { Measure } from "../protocol/subnetworks.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { heldBy } from "../rpc/handle.ts";
import { parseParams } from "../rpc/parse-params.ts";
import { type ComparePolicyOptions, comparePolicy, type PolicyComparison } from "./compare-policy.ts";
import type { Corpus } from "./corpus.ts";
import { type GenerateOptions, generateText } from "./generate.ts";
import type { GenerationTask } from "./generation-task.ts";
import { type Profile, type ProfileOptions, profileSubnetwork } from "./profile.ts";
import type { Task } from "./task.ts";

export interface PolicyMeasureOptions extends CallOptions, z.input<typeof policyMeasureOptions> {}

/** Measures of a subnetwork under a policy, teacher-forced on a corpus. */
export interface PolicyMeasures {
  /** Of each measure that was asked for, in nats but for logit-distance; means over positions. */
  values: Partial<Record<Measure, number>>;
  /** How many positions each is a mean over. */
  counts: Partial<Record<Measure, number>>;
  skips: Skips;
  /** Seconds it took. */
  seconds: number;
}

/**
 * A subnetwork under a policy: it is asked what a subnetwork is asked, and its results say what was skipped.
 * It has no form of its own that could be saved, exported or repaired: that is the subnetwork's.
 */
export class PolicySubnetwork {
  /** With its defaults filled in. */
  readonly policy: Policy;
  readonly #subnetwork: () => Subject;

  /** @internal */
  constructor(subnetwork: () => Subject, policy: PolicyOptions) {
    this.#subnetwork = subnetwork;
    this.policy = Object.freeze(parseParams("withPolicy", policySchema, policy));
  }

  /** The units that are removed beside what it skips, by depth. */
  get removed(): readonly UnitName[] {
    return this.#subnetwork().removed;
  }

  /** As `perplexity` of a subnetwork; not under `prompt-skipping`, which tells reading from writing. */
  async perplexity(data: TextData, options: PerplexityOptions = {}): Promise<Perplexity> {
    return scorePerplexity(this.#subject, data, options);
  }

  /** As `choices` of a subnetwork; not under `prompt-skipping`. */
  async choices(task: Task, options: ChoicesOptions = {}): Promise<ChoiceScores> {
    return scoreChoices(this.#subject, task, options);
  }

  /** As `lastWord` of a subnetwork; not under `prompt-skipping`. */
  async lastWord(task: Task, options: LastWordOptions = {}): Promise<LastWordScores> {
    return scoreLastWord(this.#subject, task, options);
  }

  /** As `generate` of a subnetwork; with a KV cache. */
  async generate(
    prompts: string | readonly string[],
    options: GenerateOptions = {},
  ): Promise<GenerateResult> {
    return generateText(this.#subject, prompts, options);
  }

  /** As `solve` of a subnetwork. */
  async solve(task: GenerationTask, options: SolveOptions = {}): Promise<GenerationScore> {
    return solveTask(this.#subject, task, options);
  }

  /** As `evaluate` of a subnetwork: items are kept under the policy too, apart from the subnetwork's own. */
  async evaluate<const E extends readonly Evaluation[]>(
    evaluations: E,
    options: EvaluateOptions = {},
  ): Promise<EvaluationResults<E>> {
    return evaluate(this.#subject, evaluations, options);
  }

  /** As `profile` of a subnetwork, in the mode `masked`: of a `text`, what is skipped is what it would be. */
  async profile(options: ProfileOptions = {}): Promise<Profile> {
    return profileSubnetwork(this.#subject, options);
  }

  /**
   * Loss, KL divergence and logit distance on a corpus, which the engine has for subnetworks; not under
   * `prompt-skipping`.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, OUT_OF_MEMORY, CANCELLED
   */
  async measure(corpus: Corpus, options: PolicyMeasureOptions = {}): Promise<PolicyMeasures> {
    const { connection } = this.#subject;
    const held = heldBy(connection, "policies.measure", "corpus", corpus);
    const subject = { ...subjectParams(this.#subject), policy: this.policy, corpus: held };
    const { result } = await connection.request("policies.measure", subject, options);
    const measures = options.measures ?? (["loss"] as const);
    const named = (numbers: readonly number[]) =>
      Object.fromEntries(measures.map((measure, place) => [measure, numbers[place]]));
    const { values, counts, skips, seconds } = result;
    return { values: named(values), counts: named(counts), skips, seconds };
  }

  /**
   * Perplexity of feed-forward skipping beside its honest controls of equal share: a static mask and random
   * skips, and with `profile` how fast each is.
   *
   * @throws DepthkitError INVALID_ARGUMENT, also where the policy skips nothing; and what perplexity throws
   */
  async compare(data: TextData, options: ComparePolicyOptions = {}): Promise<PolicyComparison> {
    return comparePolicy(this.#subject, this.policy, data, options);
  }

  get #subject(): Subject {
    return { ...this.#subnetwork(), policy: this.policy };
  }
}
