/** A ranking as it would be made, over a game that asks no worker: which sets it would look at. */
import { item } from "../../../arrays.ts";
import type { Corpus } from "../../../model/corpus.ts";
import { countBudget } from "../../../model/search/count-budget.ts";
import { influenceScores, isGradientMetric } from "../../../model/search/influence-scores.ts";
import { budgetOf } from "../../../model/search/recipes.ts";
import { playersOf, settle } from "../../../model/search/settle.ts";
import { startsOf } from "../../../model/search/starts.ts";
import type { Task } from "../../../model/task.ts";
import type { UnitName } from "../../../protocol/common.ts";
import { searchGame } from "../../../selection/index.ts";
import { namedStrategy, needsOf } from "../../../selection/strategy-choice.ts";
import { type Coalition, estimateShapley, type Game } from "../../../shapley/index.ts";
import type { StaticInfluence } from "../model-study.ts";
import type { SettledRanking } from "../plan.ts";
import {
  budgetsOf,
  estimateOptionsOf,
  fromScores,
  type GameRanking,
  type Of,
  playing,
  type RankWork,
  rank,
  searchOptionsOf,
} from "../rank.ts";
import type { Ranked } from "../record.ts";
import { isFailure, orFailure } from "../steps.ts";
import { GuessedInfluence } from "./guess.ts";

/** Sets that are measured on some data, batch by batch: those of one batch share what they can. */
export interface LookedAt {
  readonly data: Corpus | Task;
  readonly batches: readonly (readonly (readonly UnitName[])[])[];
}

export interface Dry {
  readonly ranked: Ranked;
  /** Whether these are the sets that the ranking will have. */
  readonly exact: boolean;
  readonly looks: readonly LookedAt[];
  readonly passes: { readonly static: number; readonly gradients: number };
  /** Fits of the repair that sets are scored with. */
  readonly fits: number;
  /** Why its time cannot be told; null where it can. */
  readonly untold: string | null;
}

/** `work` knows the measured influence; `measured` is that. */
export async function dryRun(
  ranking: SettledRanking,
  work: RankWork,
  measured: StaticInfluence,
): Promise<Dry> {
  const { opened, condition } = work;
  const seed = `${ranking.name} ${condition.calibration.name} ${condition.draw}`;
  const guess = () => new GuessedInfluence(opened.model.subject, condition.measured, measured, seed);
  const none = { looks: [], passes: { static: 0, gradients: 0 }, fits: 0, untold: null };
  switch (ranking.by) {
    case "order":
      return { ...none, ranked: await rank(ranking, work), exact: true };
    case "influence": {
      if (!isGradientMetric(ranking.metric)) {
        return { ...none, ranked: await rank(ranking, work), exact: true };
      }
      const influence = guess();
      const ranked = await rank(ranking, { ...work, condition: { ...condition, influence } });
      return { ...none, ranked, exact: false, passes: influence.passes };
    }
    case "leave-one-out":
      return await dryGame({ ...ranking, method: "leave-one-out", interactions: false }, work, guess());
    case "values":
      return await dryGame(ranking, work, guess());
    case "search":
      return await drySearch(ranking, work, guess);
  }
}

/** Higher is better: what is gone costs its guessed cosine. */
function standIn(players: readonly UnitName[], scores: readonly number[]) {
  const batches: UnitName[][][] = [];
  const gone = (set: Coalition) => set.absent().map((at) => item(players, at));
  const worth = (set: Coalition) => -set.absent().reduce((sum, at) => sum + item(scores, at), 0);
  const game: Game<UnitName> = {
    players,
    values: ["value"],
    async evaluate(sets) {
      batches.push(sets.map(gone));
      return Float64Array.from(sets, worth);
    },
  };
  return { game, batches };
}

async function dryGame(ranking: GameRanking, work: RankWork, influence: GuessedInfluence): Promise<Dry> {
  const { opened, condition, call } = work;
  const players = await playing(ranking, work);
  const values = await influenceScores(players, influence, { metric: "cosine" }, call);
  const { game, batches } = standIn(players, values);
  const options = estimateOptionsOf(ranking, work);
  const estimate = await estimateShapley(game, { ...options, trace: false, signal: call.signal });
  const scores = players.map((unit, at) => ({ unit, value: item(values, at), standardError: null }));
  return {
    ranked: { ...fromScores(ranking.name, players, scores, work), evaluations: estimate.info.evaluations },
    exact: false,
    looks: [{ data: opened.deciding.get(ranking.name) ?? condition.measured, batches }],
    passes: { static: 0, gradients: 0 },
    fits: 0,
    untold: null,
  };
}

async function drySearch(ranking: Of<"search">, work: RankWork, guess: () => GuessedInfluence): Promise<Dry> {
  const { opened, removals, call, seed } = work;
  const { subject, depth } = opened.model;
  const options = searchOptionsOf(ranking, work);
  const given = [options.choose].flat() as readonly (Corpus | Task)[];
  const looks: LookedAt[] = [];
  const sets: Ranked["sets"] = [];
  let [looked, passes, gradients, fits] = [0, 0, 0, 0];
  const search = async (budget: ReturnType<typeof budgetsOf>[number][1]) => {
    const influence = guess();
    const asked = { ...options, budget };
    const { players, value: _, notes: __, ...settled } = await settle(subject, asked, influence);
    const counted = await countBudget(subject, budgetIn(ranking, budget), players, options.costs, call);
    const cosines = await influenceScores(players, guess(), { metric: "cosine" }, call);
    const grows = needsOf[namedStrategy(settled.strategy).name].fidelities === true;
    const levels = grows ? given : given.slice(-1);
    const games = levels.map(() => standIn(players, cosines));
    const last = item(games, games.length - 1);
    const size = ({ info }: Corpus | Task) => info.tokens;
    const whole = size(item(levels, levels.length - 1));
    const cheaper = games.slice(0, -1).map(({ game }, at) => ({
      game: game as Game,
      weight: size(item(levels, at)) / whole,
    }));
    const start = await startsOf(subject, asked, { ...settled, players }, counted, last.game, influence);
    const found = await searchGame(last.game, {
      ...settled,
      ...counted,
      candidates: start.candidates,
      start: start.from,
      fidelities: cheaper.length === 0 ? undefined : cheaper,
      evaluations: ranking.evaluations,
      seed,
      signal: call.signal,
    });
    // What was chosen is measured beside the whole model.
    last.batches.push([[], [...found.removed]]);
    for (const [at, data] of levels.entries()) looks.push({ data, batches: item(games, at).batches });
    passes += influence.passes.static;
    gradients += influence.passes.gradients;
    looked += found.evaluations;
    fits += ranking.repair === undefined ? 0 : players.length + 1;
    return [...found.removed];
  };
  for (const [removal, budget] of budgetsOf(removals)) {
    const removed = await orFailure(() => search(budget));
    const error = isFailure(removed) ? removed : null;
    sets.push({ removal, removed: isFailure(removed) ? [] : removed, error });
  }
  const units = playersOf(ranking.units, { depth });
  return {
    ranked: { units, scores: null, estimated: null, sets, evaluations: looked, notes: [] },
    exact: ranking.recipe === "tail" || ranking.strategy === "tail",
    looks,
    passes: { static: passes, gradients },
    fits,
    untold:
      ranking.strategy === "learned-gates" ? "gates are learned by a training that was not sampled" : null,
  };
}

const budgetIn = ({ recipe }: Of<"search">, budget: ReturnType<typeof budgetsOf>[number][1]) =>
  recipe === undefined ? budget : budgetOf(recipe, budget);
