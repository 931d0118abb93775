import type { Verdict } from "depthkit/report";

/** A number that a claim says is above 0, on one text. */
export interface Measured {
  readonly text: string;
  readonly difference: number;
  readonly standardError: number | null;
}

/**
 * By the rule that the report states. The number shown is that of the text which decides: the one that speaks
 * against the claim most clearly, or for it least. The evidence has all of them.
 */
export function verdictOf(
  claim: string,
  evidence: string,
  on: readonly Measured[],
  figure?: string,
): Verdict {
  const sized = on.flatMap(({ standardError, ...one }) =>
    standardError === null ? [] : [{ ...one, standardError }],
  );
  const low = (one: (typeof sized)[number]) => one.difference - 2 * one.standardError;
  const high = (one: (typeof sized)[number]) => one.difference + 2 * one.standardError;
  const [least] = sized.toSorted((a, b) => low(a) - low(b));
  const [against] = sized.toSorted((a, b) => high(a) - high(b));
  if (
    least === undefined ||
    against === undefined ||
    sized.some(({ difference }) => Number.isNaN(difference)) ||
    sized.length < on.length
  ) {
    return { verdict: "cannot-be-told", claim, evidence: `${evidence} One was not measured.` };
  }
  const refuted = high(against) < 0;
  const shown = refuted ? against : least;
  const verdict = refuted ? "did-not-hold" : low(least) > 0 ? "held" : "cannot-be-told";
  const signed = (value: number) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(3)}`;
  const each = sized.map(
    ({ text, difference, standardError }) => `${text} ${signed(difference)} ± ${standardError.toFixed(3)}`,
  );
  return {
    verdict,
    claim,
    measured: `${signed(shown.difference)} nats on ${shown.text}`,
    interval: `two standard errors: ${signed(low(shown))} to ${signed(high(shown))}`,
    evidence: `${evidence} ${each.join("; ")}.`,
    ...(figure === undefined ? {} : { figure }),
  };
}
