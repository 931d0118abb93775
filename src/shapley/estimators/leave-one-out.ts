import { Coalition } from "../../game/coalition.ts";
import { certain } from "../draft.ts";
import { type Estimator, refuseTarget } from "../estimator.ts";
import { evaluateRequired } from "../required.ts";
import { reachOf } from "../target.ts";

/**
 * v(all) - v(all without i) for each player: the horizon value of horizon 1, with n + 1 evaluations and no
 * sampling error (SLEB, arXiv 2402.09025; what arXiv 2407.16286 computes by default under the name of
 * Shapley).
 */
export const leaveOneOut: Estimator = {
  method: "leave-one-out",
  unbiased: true,
  efficient: false,
  check(target, players) {
    if (reachOf(target, players) !== 1) refuseTarget("leave-one-out", target, "{ horizon: 1 } only");
  },
  minimum: (players) => players + 1,
  async run(session) {
    const { players } = session;
    const all = Coalition.full(players);
    const others = Array.from({ length: players }, (_, i) => all.without(i));
    await evaluateRequired(session, [all, ...others], "leave-one-out");
    const values = session.game.values.map((_, value) =>
      certain(
        Float64Array.from(others, (other) => session.valueOf(all, value) - session.valueOf(other, value)),
      ),
    );
    return { draft: { values, draws: players + 1 } };
  },
};
