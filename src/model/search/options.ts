import type { EngineOptions } from "../../evaluation/evaluate-subnetworks.ts";
import type { ValueDefinition } from "../../game/unit-game.ts";
import {
  anObject,
  anyOf,
  aText,
  aWhole,
  type Check,
  type Checks,
  checkArgument,
  either,
  listOf,
  objectOf,
  required,
} from "../../options.ts";
import type { Progress } from "../../progress.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import { unitKinds } from "../../protocol/names.ts";
import { engineOptions, type Measure } from "../../protocol/subnetworks.ts";
import { aHandle } from "../../rpc/handle.ts";
import { checkCallOptions } from "../../rpc/parse-params.ts";
import { workerCallChecks } from "../../rpc/time-limit.ts";
import type { Budget } from "../../selection/budget.ts";
import type { SearchProgress } from "../../selection/options.ts";
import type { MeasureScores, Scores } from "../../selection/scores.ts";
import type { StrategyChoice } from "../../selection/strategy-choice.ts";
import type { Corpus } from "../corpus.ts";
import { repairOptions } from "../repair.ts";
import type { Task } from "../task.ts";
import { anExportable, type Exportable } from "./exportable.ts";
import { type GapRepairOptions, gapRepairOptions } from "./gap-repairs.ts";
import type { InfluenceScores } from "./influence-scores.ts";
import { checkLearnedGates, type LearnedGatesChoice } from "./learned-gates.ts";
import { influenceScoreNames } from "./names.ts";
import { type RecipeName, recipeNames, type StartRecipe, startRecipes } from "./recipes.ts";
import { needsFit, refuse } from "./refuse.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** How a model is searched. `splitText` gives `fit`, `choose` and `report` of one text. */
export interface ModelSearchOptions extends Omit<EngineOptions, "onProgress"> {
  /** A published way to choose, in place of `strategy`, `scores` and `players`. */
  recipe?: RecipeName | undefined;
  /**
   * Default `greedy`. Beside the strategies of any game a model has `learned-gates`, which takes gradients on
   * `fit`.
   */
  strategy?: StrategyChoice | "learned-gates" | LearnedGatesChoice | undefined;
  /**
   * How much goes. Costs that a budget can ask for: `parameters`, `bytes`, `kv-bytes` (of the cache, per
   * token) and `seconds` (of writing a token, measured). Their share is of the whole model's, unless `total`
   * says.
   */
  budget: Budget;
  /** What units cost, as `unitCosts` gave it. Default: counted, and where it is asked for timed, anew. */
  costs?: UnitCosts | undefined;
  /** Who plays: a kind of unit, several kinds, or units. Default `block`. */
  players?: UnitKind | readonly UnitKind[] | readonly UnitName[] | undefined;
  /**
   * Who may go: units, or as many as a number says of least cosine influence on `fit`; over blocks `greedy`
   * and strategies that take `start` then also look at those of the sets to start from. Default: all.
   */
  candidates?: readonly UnitName[] | number | undefined;
  /** Who stays; `ends`: the first block and the last. */
  protect?: readonly UnitName[] | "ends" | undefined;
  /**
   * `keep`: blocks of two kinds keep their order, for software that goes by a block's number
   * (`model.info.pattern`).
   */
  pattern?: "keep" | undefined;
  /**
   * A format that the choice must go into: what it does not hold is never chosen, and what is known
   * beforehand is refused before any work (docs/search.md).
   */
  exportable?: Exportable | undefined;
  /**
   * For `lowest`, `iterative` and `knapsack`: influence on `fit`, which `iterative` measures again after each
   * removal, or numbers. Default: leave-one-out.
   */
  scores?: InfluenceScores | Scores | MeasureScores | undefined;
  /** What influence is measured on and repairs are fitted to. */
  fit?: Corpus | undefined;
  /**
   * What decides. A list grows: with `greedy`, `beam`, `evolutionary` and `surrogate` new sets meet the
   * first, and fewer of them each next one; other strategies look at the last alone.
   */
  choose: Corpus | Task | readonly (Corpus | Task)[];
  /** What says afterwards what the choice is worth; several are reported one by one. */
  report?: Corpus | Task | readonly (Corpus | Task)[] | undefined;
  /** Which measure of `choose` decides; default the data's first. */
  value?: Measure | ValueDefinition | undefined;
  /**
   * Score every set with a closed-form repair in place, fitted to `fit`, and give the winner its own:
   * emulated-update, low-rank or patch. `reference` is the winner's, and "pruned" where none is named.
   */
  repair?: GapRepairOptions | undefined;
  /** At most this many evaluations of `choose`; with `precision: "screen"` up to eight exact ones follow. */
  evaluations?: number | undefined;
  /**
   * For `beam`, `evolutionary`, `policy-gradient` and `surrogate`: sets to start from, such as another
   * search's archive, or recipes whose choices are. Default, where all blocks play and there is `fit` and no
   * list of candidates: `["llm-streamline", "shortgpt"]`.
   */
  start?: readonly { readonly removed: readonly UnitName[] }[] | readonly StartRecipe[] | undefined;
  seed?: number | undefined;
  /** Hears of evaluations, and before them of measuring and fitting. */
  onProgress?: ((progress: Progress | SearchProgress) => void) | undefined;
}

const aUnitList = listOf(aText, 1);
const someData = aHandle("a corpus or a task");
const dataList = either(someData, listOf(someData, 1));

const someScores = objectOf({
  metric: required(anyOf(...influenceScoreNames)),
  of: anyOf("own", "block"),
  repair: repairOptions,
} satisfies Checks<InfluenceScores>);

/** What a search is given beside what the engine takes. */
export const searchChecks = {
  ...workerCallChecks,
  journal: aText,
  recipe: anyOf(...recipeNames),
  strategy: either(aText, anObject),
  budget: required({
    allowed: "a budget",
    holds: (value) => typeof value === "number" || typeof value === "object",
  }),
  costs: objectOf({ units: required(anObject), model: required(anObject) } satisfies Checks<UnitCosts>),
  players: either(anyOf(...unitKinds), aUnitList),
  candidates: either(aUnitList, aWhole(1)),
  protect: either(anyOf("ends"), listOf(aText)),
  pattern: anyOf("keep"),
  exportable: anExportable,
  scores: { allowed: "scores, or a function that gives them", holds: (value) => Boolean(value) },
  fit: aHandle("a corpus"),
  choose: required(dataList),
  report: dataList,
  value: either(aText, anObject),
  repair: gapRepairOptions,
  evaluations: aWhole(1),
  start: either(listOf(objectOf({ removed: required(listOf(aText)) })), listOf(anyOf(...startRecipes))),
  seed: aWhole(0),
} satisfies Readonly<Record<string, Check>>;

/** @throws DepthkitError INVALID_ARGUMENT with what is wrong with a search's options */
export function checkModelSearch(options: ModelSearchOptions): void {
  checkCallOptions("search", options, engineOptions, searchChecks);
  const { recipe, strategy, scores, repair, fit } = options;
  for (const name of ["strategy", "scores", "players"] as const) {
    if (recipe === undefined || options[name] === undefined) continue;
    refuse(`the recipe "${recipe}" settles \`${name}\`; leave it out, or search without a recipe`);
  }
  const gates = learnedGatesOf(strategy);
  if (gates !== undefined) {
    checkLearnedGates(gates);
    for (const name of ["scores", "start"] as const) {
      if (options[name] !== undefined) refuse(`"learned-gates" makes no use of \`${name}\`; leave it out`);
    }
    if (fit === undefined) refuse(`"learned-gates" ${needsFit}`);
    if (repair !== undefined && (gates.lora ?? null) !== null) {
      refuse(
        "what LoRA learns along with gates is the winner's repair, and gaps are filled before LoRA heals " +
          "the rest; leave out `repair` or `lora`",
      );
    }
  }
  if (isByInfluence(scores)) checkArgument("search", "scores", scores, someScores);
  if (repair !== undefined && fit === undefined) refuse(`\`repair\` ${needsFit}`);
}

export function isByInfluence(scores: ModelSearchOptions["scores"]): scores is InfluenceScores {
  return (
    typeof scores === "object" && scores !== null && typeof (scores as InfluenceScores).metric === "string"
  );
}

export function learnedGatesOf(strategy: ModelSearchOptions["strategy"]): LearnedGatesChoice | undefined {
  if (strategy === "learned-gates") return { name: strategy };
  return typeof strategy === "object" && strategy.name === "learned-gates" ? strategy : undefined;
}
