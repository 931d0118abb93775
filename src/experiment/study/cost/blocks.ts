/** Block evaluations of sets of units, as the worker counts them: what sets share is computed once. */
import { item } from "../../../arrays.ts";
import { sublayersOf } from "../../../evaluation/sublayers.ts";
import type { UnitName } from "../../../protocol/common.ts";
import { parseUnit } from "../../../protocol/units.ts";
import { Coalition, prefixCost } from "../../../shapley/index.ts";
import type { Subject } from "../points.ts";
import type { StudyRecord } from "../record.ts";

type Costs = StudyRecord["models"][number]["costs"];

/** Sets that the worker walks at a time where data come in several batches (the worker's `plan.py`). */
const [leastSets, mostSets] = [64, 128];

/** The blocks of one model, each an attention and a feed-forward. */
export class Blocks {
  readonly depth: number;
  /** What each sublayer is of a block's work, by its weights. */
  readonly #own: readonly number[];

  constructor(depth: number, costs: Costs) {
    this.depth = depth;
    const parameters = (unit: string) => costs.units[unit]?.parameters ?? 0;
    const [attention, feedForward] = [parameters("attention.0"), parameters("feed-forward.0")];
    const share = attention + feedForward === 0 ? 0.5 : attention / (attention + feedForward);
    this.#own = Array.from({ length: 2 * depth }, (_, at) => (at % 2 === 0 ? share : 1 - share));
  }

  /** What is left without these units. */
  coalition(removed: readonly UnitName[]): Coalition {
    return Coalition.without(2 * this.depth, new Set(removed.map(parseUnit).flatMap(sublayersOf)));
  }

  /** Different sets, in the order in which the worker walks them. */
  distinct(sets: readonly Coalition[]): Coalition[] {
    const byKey = new Map(sets.map((set) => [set.key, set]));
    return [...byKey.values()].sort((a, b) => {
      const at = a.firstDifference(b);
      return at === a.players ? 0 : a.has(at) ? -1 : 1;
    });
  }

  /** On one batch. `batches`: how many there are; where there are several, sets are walked in stretches. */
  of(sets: readonly Coalition[], batches: number): number {
    const sorted = this.distinct(sets);
    const stretches = batches > 1 ? this.#stretches(sorted) : [sorted];
    const costs = { own: this.#own, restFrom: this.#own.map(() => 0), rest: 0 };
    return stretches.reduce((sum, stretch) => sum + prefixCost(stretch, costs), 0);
  }

  /**
   * Of sets with repairs, each of its own: two of them share what stands below the first unit that is gone
   * from either, and nothing where a repair changes what stays.
   */
  ofRepaired(subjects: readonly Subject[]): number {
    const whole = this.#whole(subjects.map(({ removed }) => this.coalition(removed)));
    const shared = subjects
      .map((subject) => (changesTheRest(subject) ? 0 : this.#below(subject.removed)))
      .sort((a, b) => b - a);
    return whole - shared.slice(1).reduce((sum, one) => sum + one, 0);
  }

  /** Cut where neighbours have the least in common, as the worker does. */
  #stretches(sets: readonly Coalition[]): Coalition[][] {
    const stretches: Coalition[][] = [];
    let first = 0;
    while (sets.length - first > mostSets) {
      const cuts = Array.from({ length: mostSets - leastSets + 1 }, (_, at) => first + leastSets + at);
      const common = cuts.map((at) => this.#common(item(sets, at - 1), item(sets, at)));
      const cut = item(cuts, common.indexOf(Math.min(...common)));
      stretches.push(sets.slice(first, cut));
      first = cut;
    }
    return [...stretches, sets.slice(first)];
  }

  #common(a: Coalition, b: Coalition): number {
    const blocks = Math.floor(a.firstDifference(b) / 2);
    return Array.from({ length: blocks }, (_, at) => a.has(2 * at) && a.has(2 * at + 1)).filter(Boolean)
      .length;
  }

  #whole(sets: readonly Coalition[]): number {
    return sets.flatMap((set) => [...set]).reduce((sum, sublayer) => sum + item(this.#own, sublayer), 0);
  }

  #below(removed: readonly UnitName[]): number {
    const first = Math.min(2 * this.depth, ...removed.map(parseUnit).flatMap(sublayersOf));
    return this.#own.slice(0, first).reduce((sum, one) => sum + one, 0);
  }
}

const changesTheRest = ({ repair }: Subject): boolean =>
  repair?.settled.steps.some(({ method }) => ["lora", "partial", "fold"].includes(method)) ?? false;
