import { item, real } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import { Coalition } from "../game/coalition.ts";
import { checkGame, type Game } from "../game/game.ts";
import type { Draft } from "./draft.ts";
import { type EstimateInfo, ShapleyEstimate, type TracePoint } from "./estimate.ts";
import type { Estimator, Outcome } from "./estimator.ts";
import { exact } from "./estimators/exact.ts";
import { banzhafValue, type Functional, horizonValue, pairInteraction } from "./functional.ts";
import {
  checkLimits,
  defaultTarget,
  type EstimateOptions,
  type EstimateProgress,
  estimatorFor,
  floorsOf,
} from "./options.ts";
import { randomStream } from "./random.ts";
import { firstLook, Session } from "./session.ts";
import { isSettled, looksWithin } from "./settle.ts";
import { coalitionsWithin, describeTarget, reachOf, type Target } from "./target.ts";
import { type JudgedDrafts, judge, type Leverages, leveragesOf } from "./unseen.ts";

/** By how much evaluations grow between two looks at whether to stop. */
const stopGrowth = 1.25;

/** Methods that go over to exact enumeration, and say so, when the budget covers every coalition. */
const samplers: ReadonlySet<string> = new Set(["permutation", "stratified", "kernel", "regression"]);

/**
 * Estimates each player's value in a game, for all of the game's values at once, within a budget. See
 * docs/shapley.md for which method and target to choose.
 */
export async function estimateShapley<Player extends string>(
  game: Game<Player>,
  options: EstimateOptions = {},
): Promise<ShapleyEstimate<Player>> {
  checkGame(game);
  checkLimits(options, game);
  const players = game.players.length;
  const requested = estimatorFor(options.method ?? "regression");
  const target = options.target ?? defaultTarget(requested.method, players);
  const reach = reachOf(target, players);
  requested.check(target, players);
  const evaluations = options.evaluations ?? Math.max(20 * players, requested.minimum(players, reach));
  const seed = options.seed ?? 0;
  randomStream(seed, "check");
  const coversAll = samplers.has(requested.method) && coalitionsWithin(players, reach) <= evaluations;
  const estimator = coversAll ? exact : requested;
  const minimum = estimator.minimum(players, reach);
  if (evaluations < minimum) throw tooSmall(estimator, target, players, evaluations, minimum);
  const extras = extrasOf(options, estimator, players, reach);

  const leverages = estimator.leverages?.(players) ?? leveragesOf(horizonValue(players, reach));
  const judged = (draft: Draft, current: Session, by: Leverages = leverages): JudgedDrafts =>
    judge(draft, {
      table: current.table,
      players,
      leverages: by,
      modelled: estimator.modelled === true,
    });

  const trace: TracePoint[] = [];
  const session = new Session({
    game,
    reach,
    seed,
    budget: { evaluations, seconds: options.seconds, cost: options.cost },
    floors: floorsOf(game, options.cap),
    signal: options.signal,
    batchSize: options.batchSize ?? 256,
    growth: options.stop !== undefined ? stopGrowth : options.trace === false ? Number.POSITIVE_INFINITY : 2,
    onLook: (draft, current) => {
      const now = judged(draft, current);
      trace.push(tracePoint(now, current));
      return mayStop(now, game, options, evaluations);
    },
    onBatch: (current) => options.onProgress?.(progressOf(current)),
    now: () => performance.now(),
  });
  const outcome = await estimator.run(session, [...extras.values()]);
  const draft = judged(outcome.draft, session);
  trace.push(tracePoint(draft, session));
  const extraDraft = (name: string): JudgedDrafts | undefined => {
    const functional = extras.get(name);
    const found = outcome.extras?.[[...extras.keys()].indexOf(name)];
    return functional && found && judged(found, session, leveragesOf(functional));
  };
  return new ShapleyEstimate({
    info: infoOf(game.players, session, { estimator, requested, target, outcome, trace }),
    draft,
    interactions: extraDraft("interactions"),
    banzhaf: extraDraft("banzhaf"),
  });
}

function tooSmall(
  estimator: Estimator,
  target: Target,
  players: number,
  got: number,
  minimum: number,
): DepthkitError {
  return new DepthkitError(
    "BUDGET_TOO_SMALL",
    `Estimating by "${estimator.method}" with target ${describeTarget(target)} over ${players} players: ` +
      `got a budget of ${got} evaluations; it needs at least ${minimum}.`,
    { details: { evaluations: got, minimum } },
  );
}

function extrasOf(
  options: EstimateOptions,
  estimator: Estimator,
  players: number,
  reach: number,
): Map<string, Functional> {
  const extras = new Map<string, Functional>();
  const wanted = [
    ...(options.interactions === true ? ["interactions"] : []),
    ...(options.banzhaf === true ? ["banzhaf"] : []),
  ];
  for (const name of wanted) {
    if (estimator.method !== "exact" && estimator.method !== "regression") {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Estimating ${name} by "${estimator.method}": only "exact" and "regression" give them. Choose ` +
          `one of these.`,
      );
    }
    if (name === "banzhaf" ? reach !== players : reach < 2) {
      const why =
        name === "banzhaf"
          ? 'they average over all coalitions; choose the target "shapley"'
          : "a pair needs a horizon of at least 2";
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Estimating ${name} with horizon ${reach} over ${players} players: ${why}.`,
      );
    }
    extras.set(name, name === "banzhaf" ? banzhafValue(players) : pairInteraction(players, reach));
  }
  return extras;
}

/** Every look may err; together they do so no more often than the confidence allows. */
function mayStop(draft: JudgedDrafts, game: Game, { stop }: EstimateOptions, evaluations: number): boolean {
  if (stop === undefined) return false;
  const value = stop.value === undefined ? 0 : game.values.indexOf(stop.value);
  const risk = (1 - (stop.confidence ?? 0.95)) / looksWithin(evaluations, firstLook, stopGrowth);
  return isSettled(item(draft.values, value), stop.lowest, risk);
}

function progressOf(session: Session): EstimateProgress {
  return {
    phase: "estimating",
    done: session.evaluations,
    total: session.budget.evaluations,
    unit: "evaluations",
    cost: session.cost,
    seconds: session.seconds,
  };
}

function tracePoint(draft: Draft, session: Session): TracePoint {
  const values = session.game.values.map((name, i) => {
    const { estimate, variance } = item(draft.values, i);
    return [name, { value: estimate, standardError: variance.map(Math.sqrt) }] as const;
  });
  const { evaluations, cost, seconds } = session;
  return { evaluations, cost, seconds, values: Object.fromEntries(values) };
}

interface RunFacts {
  readonly estimator: Estimator;
  readonly requested: Estimator;
  readonly target: Target;
  readonly outcome: Outcome;
  readonly trace: readonly TracePoint[];
}

function infoOf<Player extends string>(
  labels: readonly Player[],
  session: Session,
  { estimator, requested, target, outcome, trace }: RunFacts,
): EstimateInfo<Player> {
  const { game, players, table } = session;
  const all = Coalition.full(players);
  const none = Coalition.empty(players);
  const byValue = <T>(entry: (value: number) => T): Record<string, T> =>
    Object.fromEntries(game.values.map((name, value) => [name, entry(value)]));
  const gap = (value: number): number | null => {
    if (!table.has(all) || !table.has(none)) return null;
    const sum = (outcome.draft.values[value]?.estimate ?? new Float64Array()).reduce(
      (total, x) => total + x,
      0,
    );
    return sum - (session.valueOf(all, value) - session.valueOf(none, value));
  };
  const capped = game.values.flatMap((name, value) => {
    const at = -real(session.floors, value);
    return Number.isFinite(at) ? [[name, { at, coalitions: item(table.capped, value) }] as const] : [];
  });
  return {
    players: labels,
    values: game.values,
    method: estimator.method,
    requested: requested.method,
    target,
    seed: session.seed,
    unbiased: estimator.unbiased,
    efficient: estimator.efficient && session.reach === players,
    evaluations: session.evaluations,
    draws: outcome.draft.draws,
    cost: session.cost,
    seconds: session.seconds,
    stopped: session.stopped,
    capped: Object.fromEntries(capped),
    efficiencyGap: byValue(gap),
    trace,
    surrogates: Object.fromEntries(
      (outcome.surrogates ?? []).map((surrogate, value) => [item(game.values, value), surrogate]),
    ),
  };
}
