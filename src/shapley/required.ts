import { DepthkitError } from "../errors.ts";
import type { Coalition } from "../game/coalition.ts";
import type { Session } from "./session.ts";

/** Evaluates coalitions an estimator cannot do without; throws when the budget ends before. */
export async function evaluateRequired(
  session: Session,
  coalitions: readonly Coalition[],
  what: string,
): Promise<void> {
  for (let at = 0; at < coalitions.length; ) {
    const units = coalitions.slice(at, at + 1024).map((coalition) => ({ coalitions: [coalition] }));
    const admitted = session.admit(units);
    await session.evaluate(coalitions.slice(at, at + admitted));
    at += admitted;
    if (at < coalitions.length && admitted < units.length) {
      throw new DepthkitError(
        "BUDGET_TOO_SMALL",
        `Estimating over ${session.players} players: the budget of ${limitText(session)} ended after ` +
          `${at} of the ${coalitions.length} coalitions of ${what}, all of which are needed. Give it more.`,
        { details: { needed: coalitions.length, evaluated: at } },
      );
    }
  }
}

function limitText(session: Session): string {
  const { evaluations, seconds, cost } = session.budget;
  switch (session.stopped) {
    case "seconds":
      return `${seconds} seconds`;
    case "cost":
      return `${cost} block evaluations`;
    default:
      return `${evaluations} evaluations`;
  }
}
