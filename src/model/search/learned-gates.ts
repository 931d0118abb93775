import type { z } from "zod";
import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import { checkArgument } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { learnGatesOptions } from "../../protocol/gates.ts";
import type { Params } from "../../protocol/methods.ts";
import type { RepairReport } from "../../protocol/repair.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { heldBy } from "../../rpc/handle.ts";
import { optionsOf } from "../../rpc/parse-params.ts";
import type { Budget, Part } from "../../selection/budget.ts";
import { spaceOf } from "../../selection/space-of.ts";
import type { Corpus } from "../corpus.ts";
import { heldRepairs, type Repair } from "../repair.ts";
import { refuse } from "./refuse.ts";

/**
 * Gates of units, learned by gradients on `fit` while the asked amount is met at every step (E3-Pruner,
 * arXiv 2511.17205); with `lora` what stays learns along (PAT, arXiv 2408.14721).
 */
export interface LearnedGatesChoice extends z.input<typeof learnGatesOptions> {
  name: "learned-gates";
}

export interface LearnedGates {
  /** A logit per unit that may go; the lowest go. */
  readonly scores: Readonly<Record<UnitName, number>>;
  /** What LoRA learned along, and how; null where it did not. */
  readonly lora: { readonly repairs: readonly Repair[]; readonly report: RepairReport } | null;
}

export interface GateSearch {
  readonly players: readonly UnitName[];
  readonly candidates: readonly UnitName[] | undefined;
  readonly protect: readonly UnitName[];
  readonly budget: Budget;
  /** What players cost, where the budget is of a cost. */
  readonly parts: Readonly<Record<string, Part>> | undefined;
}

type GateGroup = Params<"gates.learn">["groups"][number];

/** @throws DepthkitError INVALID_ARGUMENT for settings that it does not have */
export function checkLearnedGates({ name: _, ...settings }: LearnedGatesChoice): void {
  checkArgument("Searching", 'strategy "learned-gates"', settings, optionsOf(learnGatesOptions, {}));
}

export async function learnGates(
  { connection, handle }: Subject,
  fit: Corpus,
  search: GateSearch,
  { name: _, ...settings }: LearnedGatesChoice,
  call: CallOptions,
): Promise<LearnedGates> {
  const groups = groupsOf(search);
  const corpus = heldBy(connection, "gates.learn", "corpus", fit);
  const subject = { model: handle.on(connection), corpus, groups };
  const { result, tensor } = await connection.request("gates.learn", subject, { ...settings, ...call });
  const logits = tensor(result.logits).data;
  const units = groups.flatMap((group) => group.units);
  const { report } = result;
  return {
    scores: Object.fromEntries(units.map((unit, at) => [unit, logits[at]])) as Record<UnitName, number>,
    lora: report && { repairs: heldRepairs(connection, result.repairs, report.repairs), report },
  };
}

/** Of which units how much goes: of all together, or of each kind by itself. */
function groupsOf(search: GateSearch): GateGroup[] {
  const { candidates, constraints } = spaceOf(search, search);
  const asked = constraints.filter(({ amount }) => amount > 0);
  for (const place of candidates) {
    if (asked.filter(({ costs }) => item(costs, place) > 0).length === 1) continue;
    refuse(
      `"learned-gates" removes so many units, or so much of one cost, and ${item(search.players, place)} counts ` +
        "for several; ask for one cost, or choose another strategy",
    );
  }
  return asked.map(({ costs, amount }) => {
    const own = candidates.filter((place) => item(costs, place) > 0);
    return {
      units: own.map((place) => item(search.players, place)),
      costs: own.map((place) => item(costs, place)),
      amount,
    };
  });
}
