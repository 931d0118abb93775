/** What a plan's format leaves of each ranking's units, asked before anything is measured. */
import { DepthkitError } from "../../errors.ts";
import type { Model } from "../../model/model.ts";
import { type Bounds, checkNumber, formatBounds } from "../../model/search/bounds.ts";
import { exportLimits, nameOfFormat } from "../../model/search/exportable.ts";
import { recipes } from "../../model/search/recipes.ts";
import { playersOf } from "../../model/search/settle.ts";
import type { UnitName } from "../../protocol/common.ts";
import { checkUnits } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { FaultList } from "./fault-list.ts";
import type { SettledPlan, SettledRanking } from "./plan.ts";

/**
 * By the ranking's name; none where the plan names no format. What the format refuses is the plan's fault.
 */
export async function boundsOf(
  model: Model,
  plan: SettledPlan,
  list: FaultList,
  call: CallOptions,
): Promise<ReadonlyMap<string, Bounds>> {
  const bounds = new Map<string, Bounds>();
  const { exportable: format } = plan;
  if (format === undefined) return bounds;
  for (const ranking of plan.rankings) {
    const path = list.pathOf(ranking);
    const found = await list.of(path, async () => {
      const units = unitsOf(ranking, model);
      const own = await formatBounds(model.subject, "exportable", units, { format }, call);
      const { stay, pattern } = own;
      const budgets = Array.isArray(plan.removals) ? plan.removals : [];
      for (const budget of budgets) checkNumber(units, { budget, protect: stay, pattern }, own);
      return { own, may: units.filter((unit) => !stay.includes(unit)) };
    });
    if (found === undefined) continue;
    bounds.set(ranking.name, found.own);
    for (const repair of plan.repairs) {
      if (repair.where?.rankings?.includes(ranking.name) === false) continue;
      await list.of(list.pathOf(repair), async () => {
        const into = { format, repairs: repair.steps };
        const { refused } = await exportLimits(model.subject, "exportable", found.may, into, call);
        const [first] = refused;
        if (first === undefined) return;
        throw new DepthkitError(
          "EXPORT_UNSUPPORTED",
          `exportable: ${nameOfFormat[format]} does not hold this model without ${first.unit} repaired so: ` +
            `${first.reason}. Say where the repair is wanted, or leave it out.`,
        );
      });
    }
  }
  return bounds;
}

function unitsOf(ranking: SettledRanking, model: Model): UnitName[] {
  if (ranking.by === "order") {
    const { order } = ranking;
    return checkUnits(Array.isArray(order) ? order : Object.keys(order), model.depth);
  }
  const recipe = ranking.by === "search" ? ranking.recipe : undefined;
  return playersOf(recipe === undefined ? ranking.units : recipes[recipe].kinds, model.info);
}
