import { isScreened } from "../../evaluation/precision.ts";
import type { UnitName } from "../../protocol/common.ts";
import { fewestFinalists } from "../../selection/finalists.ts";
import { greedyEvaluations } from "../../selection/strategies/greedy.ts";
import { namedStrategy } from "../../selection/strategy-choice.ts";
import type { ContenderName } from "./names.ts";
import { onlyBlocks, type PruneOptions } from "./options.ts";
import { decidingText, fittingSeconds, measurePace, type Pace } from "./pace.ts";
import type { PrunePlan } from "./record.ts";
import { baselinesOf, candidatesOf, mostChunks } from "./settle.ts";
import type { Workspace } from "./workspace.ts";

/** Sets that are scored together run about so much of their blocks, each. */
const shared = 0.5;

/** Sets that a search evaluates which starts from a span: enough, by docs/measurements/search.md. */
const enough = 40;

/**
 * What the long part of the work will be, by a pace that is measured once and then kept.
 *
 * @param removed - a set of the budget's size
 * @param start - sets of the cheap baselines, which the search starts from
 */
export async function planWork(
  work: Workspace,
  removed: readonly UnitName[],
  start: readonly (readonly UnitName[])[],
): Promise<PrunePlan> {
  const { options, model, players, scores } = work;
  const candidates = candidatesOf(options, players, scores, removed, start);
  const pace = await measurePace(work);
  const costs: Costs = {
    set: pace.secondsPerBlock * model.depth * shared,
    ownSet: pace.secondsPerBlock * model.depth * keptShare(removed, model.depth),
    finalists: isScreened(model.subject, options.precision)
      ? fewestFinalists * shared * model.depth * pace.exactPerToken * decidingText(work).info.tokens
      : 0,
    fitting: await fittingSeconds(work, candidates, pace),
  };
  const greedy = greedyEvaluations(candidates.length, removed.length, weightsOf(work));
  const { strategy, limit, affordable, takesGreedy } = allot(options, costs, greedy, start.length);
  const leavesGreedy = baselinesOf(options).includes("greedy") && !takesGreedy;
  const step = (name: ContenderName, by: string, sets: number, most: number | null, more: number) => ({
    name,
    strategy: by,
    evaluations: sets,
    limit: most,
    seconds: sets * perSet(by, costs) + costs.finalists + more,
  });
  return {
    removals: removed.length,
    players: players.length,
    candidates: [...candidates],
    start: start.map((set) => [...set]),
    secondsPerBlock: pace.secondsPerBlock,
    steps: [
      ...(takesGreedy ? [step("greedy", "greedy", greedy, null, 0)] : []),
      step("search", strategy, limit ?? greedy, limit, costs.fitting),
    ],
    besides: besidesOf(work, pace, baselinesOf(options).length - Number(leavesGreedy)),
    notes: [
      ...(leavesGreedy
        ? [
            `The baseline "greedy" is left out: it evaluates ${Math.ceil(greedy)} sets, and ` +
              `${options.minutes} minutes are enough for ${affordable}.`,
          ]
        : []),
      ...untimed(options),
    ],
  };
}

/** In seconds. */
interface Costs {
  /** Of one that is scored with others. */
  readonly set: number;
  /** Of one that is scored by itself. */
  readonly ownSet: number;
  /** Of what a search scores again, exactly. */
  readonly finalists: number;
  /** Of the repairs that stand in. */
  readonly fitting: number;
}

/** A surrogate scores its sets one by one. What streams that a CPU keeps save of that is not counted. */
const perSet = (strategy: string, { set, ownSet }: Costs) => (strategy === "surrogate" ? ownSet : set);

/**
 * How the search looks at sets, and at how many at most (null: as many as it asks for); how many sets the
 * minutes are enough for, and whether the baseline `greedy` is among the contenders.
 *
 * @param greedy - sets that a greedy search evaluates
 * @param starts - sets that the search can start from
 */
function allot(options: PruneOptions, costs: Costs, greedy: number, starts: number) {
  const { minutes, evaluations, players } = options;
  const seconds = minutes === undefined ? null : 60 * minutes - costs.fitting - 2 * costs.finalists;
  const affordable =
    seconds === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(seconds / costs.set));
  const takesGreedy = baselinesOf(options).includes("greedy") && affordable >= 2 * greedy;
  // A search that has a span to start from is as good as a greedy one or better, with fewer sets.
  const startsWell = options.strategy === undefined && starts > 1 && onlyBlocks(players);
  const byDefault = startsWell ? Math.min(enough, Math.ceil(greedy)) : null;
  const left = seconds === null ? null : affordable - (takesGreedy ? greedy : 0);
  const sets = evaluations ?? left ?? byDefault;
  const byBudget = sets === null ? "greedy" : sets >= 2 * greedy ? "beam" : "surrogate";
  const strategy = namedStrategy(options.strategy ?? byBudget).name;
  const paid = left === null ? byDefault : (left * costs.set) / perSet(strategy, costs);
  const limit = evaluations ?? (paid === null ? null : Math.max(1, Math.floor(paid)));
  return { strategy, limit, affordable, takesGreedy };
}

/** Of the blocks, those that are left. */
function keptShare(removed: readonly UnitName[], depth: number): number {
  const blocks = removed.reduce((sum, unit) => sum + (unit.startsWith("block.") ? 1 : 1 / 2), 0);
  return 1 - blocks / depth;
}

/** What takes time and is in no number of the plan. */
function untimed({ evaluate: { tasks = {} } = {}, heal, baselines = [] }: PruneOptions): string[] {
  const parts = [
    ...(heal === undefined ? [] : ["healing"]),
    ...(Object.keys(tasks).length === 0 ? [] : ["tasks"]),
    ...(baselines.includes("partial-tail") ? ["the training of partial-tail"] : []),
  ];
  return parts.length === 0 ? [] : [`Not in these times: ${parts.join(", ")}.`];
}

/** @param baselines - how many the search is compared with */
function besidesOf(work: Workspace, { exactPerToken }: Pace, baselines: number): PrunePlan["besides"] {
  const { options, model, fit, heldOut, repairs } = work;
  const passOf = (tokens: number) => model.depth * exactPerToken * tokens;
  const contenders = baselines + 1;
  // A repair reads its text once; then both the bare set and the repaired one are measured.
  const own = heldOut.info.tokens;
  const each = repairs.repair === null ? own : fit.info.tokens + 2 * shared * own;
  const { texts = {}, maxChunks = mostChunks, beside } = options.evaluate ?? {};
  const measured = 2 + (beside === "all" ? contenders : 1);
  return {
    judging: contenders * passOf(each),
    evaluating: measured * passOf(Object.keys(texts).length * maxChunks * heldOut.info.length),
  };
}

/** What a set on the text that grows counts beside one on all of it. */
function weightsOf(work: Workspace): number[] {
  const whole = decidingText(work).info.tokens;
  return work.chooseOn.slice(0, -1).map(({ info }) => info.tokens / whole);
}
