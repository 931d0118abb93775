import type { Subnetwork } from "../../model/model.ts";
import type { RepairOptions } from "../../model/repair.ts";
import type { ExportableInto } from "../../model/search/exportable.ts";
import type { ModelSearchOptions } from "../../model/search/options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { namedStrategy, needsOf, type StrategyChoice } from "../../selection/strategy-choice.ts";
import { holdsAll, placed } from "./format.ts";
import { heldOutLosses } from "./judge.ts";
import { type ContenderName, isRecipe } from "./names.ts";
import { formatOf } from "./options.ts";
import { pruneRecipes } from "./recipes.ts";
import { type Choice, choiceSchema, type PrunePlan, type Verdict, verdictSchema } from "./record.ts";
import { journalOf, type Workspace } from "./workspace.ts";

/** A chosen set. */
export interface Chosen {
  readonly choice: Choice;
  /** What the search has just made of it; undefined where the choice was known. */
  readonly made: Subnetwork | undefined;
}

/**
 * Chooses a contender's set, or takes it from what was finished.
 *
 * @param before - sets that others chose, for the search to start from
 */
export async function choose(
  work: Workspace,
  name: ContenderName,
  plan?: PrunePlan,
  before: readonly (readonly UnitName[])[] = [],
): Promise<Chosen> {
  const { model, options, costs, fit, chooseOn, steps, call } = work;
  const { budget, protect } = options;
  const { precision } = options;
  const exportable = intoFormat(work, name);
  const search = { budget, costs, protect, precision, exportable, ...searchOf(name, work, plan, before) };
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

/** What a set must go into, where the format does not hold everything. */
const intoFormat = (work: Workspace, name: ContenderName): ExportableInto | undefined =>
  holdsAll(work)
    ? undefined
    : { format: formatOf(work.options), repairs: placed(repairOf(work, name), work.options) };

/** How each contender looks for its set. */
function searchOf(
  name: ContenderName,
  { players, scores, repairs, options }: Workspace,
  plan: PrunePlan | undefined,
  before: readonly (readonly UnitName[])[],
): Partial<ModelSearchOptions> {
  const candidates = plan?.candidates;
  switch (name) {
    case "tail":
      return { players, strategy: "tail" };
    case "cosine":
      return { players, strategy: "lowest", scores };
    case "span":
      return { recipe: "llm-streamline" };
    case "greedy":
      return { players, strategy: "greedy", candidates };
    case "search": {
      const step = plan?.steps.find((one) => one.name === name);
      const strategy = options.strategy ?? (step?.strategy as StrategyChoice | undefined) ?? "greedy";
      const starts = needsOf[namedStrategy(strategy).name].start === true;
      return {
        players,
        strategy,
        candidates,
        start: starts ? startOf(plan, before) : undefined,
        repair: repairs.scoring,
        evaluations: step?.limit ?? undefined,
        seed: options.seed,
      };
    }
    default:
      return pruneRecipes[name].choose;
  }
}

/** Each set once that is known before the search, where its units may all go in it. */
function startOf(
  plan: PrunePlan | undefined,
  before: readonly (readonly UnitName[])[],
): { removed: readonly UnitName[] }[] {
  const { start = [], candidates = [] } = plan ?? {};
  const known = new Map([...start, ...before].map((removed) => [[...removed].sort().join(), removed]));
  return [...known.values()]
    .filter((removed) => removed.every((unit) => candidates.includes(unit)))
    .map((removed) => ({ removed }));
}

/** What a contender gets in place of what it lost: the same for all but the recipes, which have their own. */
export function repairOf({ repairs, model }: Workspace, name: ContenderName): RepairOptions | null {
  return isRecipe(name) ? pruneRecipes[name].repair(model.info.hiddenSize) : repairs.repair;
}

/** The model without a contender's units, repaired; bare where nothing is put in place. */
export async function repaired(
  work: Workspace,
  name: ContenderName,
  removed: readonly string[],
): Promise<Subnetwork> {
  const { model, fit, call } = work;
  const repair = repairOf(work, name);
  const bare = model.without(removed);
  return repair === null ? bare : await bare.repair(fit, { ...repair, ...call });
}

/** A contender on the held-out text, with what was fitted for that, where it was. */
export async function judge(
  work: Workspace,
  name: ContenderName,
  { choice, made }: Chosen,
): Promise<{ verdict: Verdict; subnetwork: Subnetwork | undefined }> {
  const { repairs, steps, model } = work;
  const { removed } = choice;
  const repair = repairOf(work, name);
  let subnetwork: Subnetwork | undefined;
  const verdict = await steps.step(
    { step: "judge", removed, repair, of: work.key },
    verdictSchema,
    async () => {
      // A search under the very repair has fitted the winner's own.
      const fitted = repairs.scoring === repair && made !== undefined && made.repairs.length > 0;
      subnetwork = fitted ? made : await repaired(work, name, removed);
      const both = repair === null ? [subnetwork] : [model.without(removed), subnetwork];
      const [bare = [], own = null] = await heldOutLosses(work, both, name);
      return { removed: bare, repaired: own };
    },
  );
  if (made !== undefined && made !== subnetwork) await made.close();
  return { verdict, subnetwork };
}
