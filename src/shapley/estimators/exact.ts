import { Coalition } from "../../game/coalition.ts";
import { combinations } from "../design.ts";
import { certain, type Draft } from "../draft.ts";
import type { Estimator } from "../estimator.ts";
import { type Functional, horizonValue } from "../functional.ts";
import { evaluateRequired } from "../required.ts";
import type { Session } from "../session.ts";
import { coalitionsWithin } from "../target.ts";

/** Every coalition that lacks at most `reach` players. */
export function allCoalitions(players: number, reach: number): Coalition[] {
  const coalitions: Coalition[] = [];
  for (let removed = 0; removed <= reach; removed++) {
    for (const absent of combinations(players, removed)) coalitions.push(Coalition.without(players, absent));
  }
  return coalitions;
}

/** A linear map of value number `value`, every coalition it needs having been evaluated. */
function applyExactly(session: Session, functional: Functional, value: number): Float64Array {
  const sums = new Float64Array(functional.size);
  for (const coalition of allCoalitions(functional.players, functional.reach)) {
    functional.add(sums, coalition, session.valueOf(coalition, value));
  }
  return sums;
}

/** All coalitions within the target's reach: 2^n for the Shapley value. No error. */
export const exact: Estimator = {
  method: "exact",
  unbiased: true,
  efficient: true,
  check: () => undefined,
  minimum: coalitionsWithin,
  async run(session, extras = []) {
    const { players, reach } = session;
    const coalitions = allCoalitions(players, reach);
    await evaluateRequired(session, coalitions, "an exact enumeration");
    const draftOf = (functional: Functional): Draft => ({
      values: session.game.values.map((_, value) => certain(applyExactly(session, functional, value))),
      draws: coalitions.length,
    });
    return { draft: draftOf(horizonValue(players, reach)), extras: extras.map(draftOf) };
  },
};
