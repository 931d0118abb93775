import { isScreened } from "../../evaluation/precision.ts";
import type { UnitName } from "../../protocol/common.ts";
import { fewestFinalists } from "../../selection/finalists.ts";
import { greedyEvaluations } from "../../selection/strategies/greedy.ts";
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
  const { secondsPerBlock, exactPerToken } = pace;
  const secondsPerSet = secondsPerBlock * model.depth * shared;
  const finalists = isScreened(model.subject, options.precision)
    ? fewestFinalists * shared * model.depth * exactPerToken * decidingText(work).info.tokens
    : 0;
  const greedy = greedyEvaluations(candidates.length, removed.length, weightsOf(work));
  const { minutes, evaluations } = options;
  const wantsGreedy = baselinesOf(options).includes("greedy");
  const fitting = await fittingSeconds(work, candidates, pace);
  const affordable =
    minutes === undefined
      ? undefined
      : Math.max(1, Math.floor((60 * minutes - fitting - 2 * finalists) / secondsPerSet));
  const greedyFits = affordable === undefined || affordable >= 2 * greedy;
  const leavesGreedy = wantsGreedy && !greedyFits;
  // A search that has a span to start from is as good as a greedy one or better, with fewer sets.
  const startsWell = options.strategy === undefined && start.length > 1 && onlyBlocks(options.players);
  const byDefault = startsWell ? Math.min(enough, Math.ceil(greedy)) : null;
  const left = affordable === undefined ? null : affordable - (wantsGreedy && greedyFits ? greedy : 0);
  const sets = evaluations ?? left ?? byDefault;
  const strategy = options.strategy ?? (sets === null ? "greedy" : sets >= 2 * greedy ? "beam" : "surrogate");
  const strategyName = typeof strategy === "string" ? strategy : strategy.name;
  // What a set of the search costs, of one that is scored with others.
  const weight = strategyName === "surrogate" ? keptShare(removed, model.depth) / shared : 1;
  const limit = evaluations ?? (left === null ? byDefault : Math.max(1, Math.floor(left / weight)));
  const step = (name: ContenderName, strategy: string, sets: number, most: number | null) => ({
    name,
    strategy,
    evaluations: sets,
    limit: most,
    seconds: sets * secondsPerSet + finalists,
  });
  const search = step("search", strategyName, limit ?? greedy, limit);
  return {
    removals: removed.length,
    players: players.length,
    candidates: [...candidates],
    start: start.map((set) => [...set]),
    secondsPerBlock,
    steps: [
      ...(wantsGreedy && greedyFits ? [step("greedy", "greedy", greedy, null)] : []),
      { ...search, seconds: search.evaluations * weight * secondsPerSet + finalists + fitting },
    ],
    besides: besidesOf(work, pace, baselinesOf(options).length - Number(leavesGreedy)),
    notes: [
      ...(leavesGreedy
        ? [
            `The baseline "greedy" is left out: it evaluates ${Math.ceil(greedy)} sets, and ${minutes} ` +
              `minutes are enough for ${affordable}.`,
          ]
        : []),
      ...untimed(options),
    ],
  };
}

/** Of the blocks, those that are left: a surrogate scores its sets one by one, and shares none of them. */
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
