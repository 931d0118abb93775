import { item } from "../../arrays.ts";
import { isScreened, screeningNotes } from "../../evaluation/precision.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { RepairReport } from "../../protocol/repair.ts";
import type { Precision } from "../../protocol/subnetworks.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { withTimeLimit } from "../../rpc/time-limit.ts";
import { searchGame } from "../../selection/index.ts";
import type { Fidelity } from "../../selection/options.ts";
import type { FinalistsResult, SearchResult } from "../../selection/result.ts";
import { namedStrategy, needsOf } from "../../selection/strategy-choice.ts";
import type { Corpus } from "../corpus.ts";
import { type ModelGame, modelGame } from "../model-game.ts";
import { fitRepair, type Repair, type RepairOptions } from "../repair.ts";
import type { Task } from "../task.ts";
import { countBudget } from "./count-budget.ts";
import { checkHolds } from "./exportable.ts";
import { FitInfluence } from "./fit-influence.ts";
import { fittedToSet, GapRepairs, standIn } from "./gap-repairs.ts";
import { learnGates } from "./learned-gates.ts";
import type { ModelStrategyName } from "./names.ts";
import { checkModelSearch, learnedGatesOf, type ModelSearchOptions } from "./options.ts";
import type { RecipeName } from "./recipes.ts";
import { settle } from "./settle.ts";
import { startNotes, startsFromSpans, startsOf } from "./starts.ts";
import { checkPartsApart } from "./text-parts.ts";
import { lengthNotes, type PartResult, worthOn } from "./worth.ts";

/** What a search of a model chose. */
export interface ModelSearch<S> extends Omit<SearchResult<UnitName>, "strategy"> {
  readonly strategy: ModelStrategyName;
  readonly recipe: RecipeName | null;
  /** The model without the chosen units, with the winner's own repairs where they were asked for. */
  readonly subnetwork: S;
  /** On the text that chose it, then on text that it has not seen: the first is the rosier one. */
  readonly parts: readonly PartResult[];
  /** Of the winner's repairs, fitted to the winner itself; null where none was asked for. */
  readonly repair: RepairReport | null;
  /** Block evaluations that the worker ran to score sets; what was known costs none. */
  readonly blockEvaluations: number;
  readonly notes: readonly string[];
}

/** The winner's repairs, and how they were fitted or learned. */
export interface MadeRepairs {
  readonly repairs: readonly Repair[];
  readonly report: RepairReport;
}

/** Makes the subnetwork of a choice. */
export type MakeSubnetwork<S> = (removed: readonly UnitName[], made: MadeRepairs | undefined) => S;

const approximation =
  "Sets were scored with repairs that were fitted to each gap by itself in the whole model; the winner's " +
  "own were fitted to the winner.";

/**
 * Searches a model for the units to remove: docs/search.md. `known`: influence on `fit`, of another search.
 */
export async function searchModel<S>(
  on: Subject,
  options: ModelSearchOptions,
  make: MakeSubnetwork<S>,
  known?: FitInfluence,
): Promise<ModelSearch<S>> {
  checkModelSearch(options);
  return withTimeLimit("search", options, (signal) => search(on, { ...options, signal }, make, known));
}

async function search<S>(
  on: Subject,
  options: ModelSearchOptions,
  make: MakeSubnetwork<S>,
  known: FitInfluence | undefined,
): Promise<ModelSearch<S>> {
  const { fit, evaluations, seed, journal, signal, onProgress, timeoutMs } = options;
  const { scoredPositions, batchSize, memoryBudget, precision } = options;
  const screened = isScreened(on, precision);
  const call = { signal, onProgress, timeoutMs };
  const engine = { journal, scoredPositions, batchSize, memoryBudget, ...call };
  const given = listOf(options.choose);
  const deciding = item(given, given.length - 1);
  const reportOn = listOf(options.report ?? []);
  const textParts = [
    ...listOf(fit ?? []).map((data) => ({ name: "fit", data })),
    { name: "choose", data: deciding },
    ...reportOn.map((data) => ({ name: "report", data })),
  ];
  const notes = await checkPartsApart(on, textParts, { signal, timeoutMs });
  const measured = known ?? (fit && new FitInfluence(on, fit));
  if (startsFromSpans(options)) measured?.expectCosines();
  const { players, value, notes: bounds, ...settled } = await settle(on, options, measured);
  // Text grows where a strategy compares many sets at a time; others look at the largest part alone.
  const levels = needsOf[namedStrategy(settled.strategy).name].fidelities === true ? given : [deciding];
  const counted = await countBudget(on, settled.budget, players, options.costs, call);
  const gates = learnedGatesOf(options.strategy);
  const learned =
    gates && fit && (await learnGates(on, fit, { ...settled, ...counted, players }, gates, call));
  const repair = repairOf(options);
  const games: ModelGame<UnitName>[] = [];
  let own: MadeRepairs | undefined;
  await using gaps =
    repair && (await GapRepairs.fit(on, repair.fit, players, { ...repair.options, ...call }));
  const gameOn = async (data: Corpus | Task, at: Precision | undefined) =>
    (await modelGame(on, data, {
      players,
      value,
      repair: gaps,
      precision: at,
      ...engine,
    })) as ModelGame<UnitName>;
  try {
    for (const data of levels) {
      games.push(await gameOn(data, precision));
    }
    const searched = item(games, games.length - 1);
    const cheap = games.length === 1 ? undefined : cheaper(games, levels);
    const exact = screened ? await gameOn(deciding, "exact") : undefined;
    if (exact !== undefined) games.push(exact);
    const start = await startsOf(on, options, { ...settled, players }, counted, searched, measured);
    const found = await searchGame(searched, {
      ...settled,
      ...counted,
      candidates: start.candidates,
      ...(learned === undefined ? {} : { scores: learned.scores }),
      fidelities: cheap,
      exact,
      evaluations,
      start: start.from,
      seed,
      signal,
      onProgress,
    });
    const { removed } = found;
    own =
      repair && (await fitRepair({ ...on, removed, repairs: [] }, repair.fit, { ...repair.winner, ...call }));
    const made = own ?? learned?.lora ?? undefined;
    const choice = { removed, repairs: made?.repairs ?? [] };
    await checkInto(on, options, choice, call);
    const parts: PartResult[] = [await worthOn(on, ["choose", deciding], choice, { value, ...engine })];
    for (const data of reportOn)
      parts.push(await worthOn(on, ["report", data], choice, { value, ...engine }));
    return {
      ...found,
      strategy: gates?.name ?? found.strategy,
      recipe: options.recipe ?? null,
      subnetwork: make(removed, made),
      parts,
      repair: made?.report ?? null,
      blockEvaluations: games.reduce((sum, game) => sum + game.blockEvaluations, 0),
      notes: [
        ...notes,
        ...bounds,
        ...startNotes(start.from),
        ...lengthNotes(deciding, reportOn),
        ...(gaps === undefined ? [] : [approximation]),
        ...(found.finalists === null ? screeningNotes(on, precision) : finalistsNotes(found.finalists)),
      ],
    };
  } catch (error) {
    const made = [...(learned?.lora?.repairs ?? []), ...(own?.repairs ?? [])];
    await Promise.allSettled(made.map((one) => one.close()));
    throw error;
  } finally {
    await Promise.all(games.map((game) => game.close()));
  }
}

/** The choice as a whole, with the repairs that the search made where these are what is exported. */
async function checkInto(
  on: Subject,
  { exportable }: ModelSearchOptions,
  { removed, repairs }: Pick<Subject, "removed" | "repairs">,
  call: CallOptions,
): Promise<void> {
  if (exportable === undefined) return;
  const into = typeof exportable === "string" ? { format: exportable } : exportable;
  const chosen = { ...on, removed, repairs: into.repairs === undefined ? repairs : [] };
  await checkHolds(chosen, "Searching", into.format, call);
}

function finalistsNotes({ sets, error, open }: FinalistsResult): string[] {
  const many = sets.length === 1 ? "The choice was" : `The best ${sets.length} sets were`;
  return [
    `Sets were screened, with products in bfloat16. ${many} scored again exactly, and values of the choice ` +
      "are exact.",
    ...(open
      ? [
          `Screened values of those erred by up to ${error.toPrecision(2)} from each other, and sets that ` +
            "were not scored again are as near: one of them may be as good.",
        ]
      : []),
  ];
}

function listOf<T>(given: T | readonly T[]): readonly T[] {
  return [given].flat() as T[];
}

function repairOf({ fit, repair }: ModelSearchOptions) {
  if (repair === undefined || fit === undefined) return undefined;
  const { runs: _, ...winner } = repair;
  return { fit, options: standIn(repair), winner: fittedToSet(winner as RepairOptions) };
}

/** Games on less text, weighed by it. */
function cheaper(games: readonly ModelGame<UnitName>[], levels: readonly (Corpus | Task)[]): Fidelity[] {
  const size = ({ info }: Corpus | Task) => info.tokens;
  const whole = size(item(levels, levels.length - 1));
  return games.slice(0, -1).map((game, at) => ({ game, weight: size(item(levels, at)) / whole }));
}
