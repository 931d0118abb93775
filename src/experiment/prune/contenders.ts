import type { Subnetwork } from "../../model/model.ts";
import type { ModelSearchOptions } from "../../model/search/options.ts";
import type { StrategyChoice } from "../../selection/strategy-choice.ts";
import { heldOutLosses } from "./judge.ts";
import type { ContenderName } from "./names.ts";
import { type Choice, choiceSchema, type PrunePlan, type Verdict, verdictSchema } from "./record.ts";
import { journalOf, type Workspace } from "./workspace.ts";

/** A chosen set. */
export interface Chosen {
  readonly choice: Choice;
  /** What the search has just made of it; undefined where the choice was known. */
  readonly made: Subnetwork | undefined;
}

/** Chooses a contender's set, or takes it from what was finished. */
export async function choose(work: Workspace, name: ContenderName, plan?: PrunePlan): Promise<Chosen> {
  const { model, options, players, fit, chooseOn, steps, call } = work;
  const { budget, protect } = options;
  const search = { budget, players, protect, ...searchOf(name, work, plan) };
  let made: Subnetwork | undefined;
  const choice = await steps.step({ step: "choose", search, of: work.key }, choiceSchema, async () => {
    const started = performance.now();
    const found = await model.search({ ...search, fit, choose: chooseOn, journal: journalOf(work), ...call });
    made = found.subnetwork;
    return {
      removed: [...found.removed],
      strategy: found.strategy,
      evaluations: found.evaluations,
      blockEvaluations: found.blockEvaluations,
      untried: [...found.untried],
      notes: [...found.notes],
      seconds: (performance.now() - started) / 1000,
    };
  });
  return { choice, made };
}

/** How each contender looks for its set. */
function searchOf(
  name: ContenderName,
  { scores, repairs, options }: Workspace,
  plan: PrunePlan | undefined,
): Partial<ModelSearchOptions> & { readonly strategy: StrategyChoice } {
  const candidates = plan?.candidates;
  switch (name) {
    case "tail":
      return { strategy: "tail" };
    case "cosine":
      return { strategy: "lowest", scores };
    case "greedy":
      return { strategy: "greedy", candidates };
    case "search": {
      const step = plan?.steps.find((one) => one.name === name);
      return {
        strategy: options.strategy ?? (step?.strategy as StrategyChoice | undefined) ?? "greedy",
        candidates,
        repair: repairs.scoring,
        evaluations: step?.limit ?? undefined,
        seed: options.seed,
      };
    }
  }
}

/** What every contender gets in place of what it lost; the model without it where nothing was asked for. */
export async function repaired(work: Workspace, removed: readonly string[]): Promise<Subnetwork> {
  const { model, repairs, fit, call } = work;
  const bare = model.without(removed);
  return repairs.repair === null ? bare : await bare.repair(fit, { ...repairs.repair, ...call });
}

/** A contender on the held-out text, with what was fitted for that, where it was. */
export async function judge(
  work: Workspace,
  name: ContenderName,
  { choice, made }: Chosen,
): Promise<{ verdict: Verdict; subnetwork: Subnetwork | undefined }> {
  const { repairs, steps, model } = work;
  const { removed } = choice;
  let subnetwork: Subnetwork | undefined;
  const key = { step: "judge", removed, repair: repairs.repair, of: work.key };
  const verdict = await steps.step(key, verdictSchema, async () => {
    // A search under the very repair has fitted the winner's own.
    const fitted = repairs.scoring === repairs.repair && made !== undefined && made.repairs.length > 0;
    subnetwork = fitted ? made : await repaired(work, removed);
    const both = repairs.repair === null ? [subnetwork] : [model.without(removed), subnetwork];
    const [bare = [], own = null] = await heldOutLosses(work, both, name);
    return { removed: bare, repaired: own };
  });
  if (made !== undefined && made !== subnetwork) await made.close();
  return { verdict, subnetwork };
}
