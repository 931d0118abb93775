import type { Subject } from "../../evaluation/subject.ts";
import type { UnitName } from "../../protocol/common.ts";
import { parseUnit } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { Budget, CostBudget, Part } from "../../selection/budget.ts";
import { type CostName, costNames } from "./names.ts";
import { refuse } from "./refuse.ts";
import { type UnitCosts, unitCosts } from "./unit-costs.ts";

export interface CountedBudget {
  readonly budget: Budget;
  /** What each player costs; undefined where the budget counts players. */
  readonly parts: Record<UnitName, Part> | undefined;
}

/**
 * Counts or measures the costs that a budget asks for. A share is of the whole model's, unless it says of
 * what.
 */
export async function countBudget(
  on: Subject,
  budget: Budget,
  players: readonly UnitName[],
  known: UnitCosts | undefined,
  call: CallOptions,
): Promise<CountedBudget> {
  const asked = costBudgets(budget);
  if (asked === undefined) return { budget, parts: undefined };
  const unknown = asked.find(({ cost }) => !costNames.includes(cost as CostName));
  if (unknown !== undefined) {
    refuse(`the budget is of the cost "${unknown.cost}"; costs are ${costNames.join(", ")}`);
  }
  const seconds = asked.some(({ cost }) => cost === "seconds");
  if (seconds && known !== undefined && known.model.seconds === undefined) {
    refuse(
      "the budget is of seconds, and `costs` has none; measure them with `unitCosts({ seconds: true })`",
    );
  }
  const { units, model } = known ?? (await unitCosts(on, { seconds, ...call }));
  const part = (unit: UnitName): Part => ({
    kind: parseUnit(unit).kind,
    costs: { ...units[unit] } as Record<string, number>,
  });
  return {
    budget: asked.map((one) =>
      one.share === undefined || one.total !== undefined
        ? one
        : { ...one, total: model[one.cost as CostName] },
    ),
    parts: Object.fromEntries(players.map((unit) => [unit, part(unit)])) as Record<UnitName, Part>,
  };
}

/** The costs that a budget asks for; undefined where it counts units. */
export function costBudgets(budget: Budget): readonly CostBudget[] | undefined {
  if (typeof budget === "number") return undefined;
  if (Array.isArray(budget)) return budget as readonly CostBudget[];
  return typeof (budget as Partial<CostBudget>).cost === "string" ? [budget as CostBudget] : undefined;
}
