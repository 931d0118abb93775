import type { Verdict } from "depthkit/report";

/** A number that a claim says is above 0, on one text. */
export interface Measured {
  readonly text: string;
  readonly difference: number;
  readonly standardError: number | null;
}

/**
 * By the rule that the report states. The number shown is that of the text where the claim fares worst; the
 * evidence has all of them.
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
  const [worst] = sized.toSorted((a, b) => low(a) - low(b));
  if (
    worst === undefined ||
    sized.some(({ difference }) => Number.isNaN(difference)) ||
    sized.length < on.length
  ) {
    return { verdict: "cannot-be-told", claim, evidence: `${evidence} One was not measured.` };
  }
  const verdict =
    low(worst) > 0 ? "held" : sized.some((one) => high(one) < 0) ? "did-not-hold" : "cannot-be-told";
  const signed = (value: number) => `${value < 0 ? "" : "+"}${value.toFixed(3)}`;
  const each = sized.map(
    ({ text, difference, standardError }) => `${text} ${signed(difference)} ± ${standardError.toFixed(3)}`,
  );
  return {
    verdict,
    claim,
    measured: `${signed(worst.difference)} nats on ${worst.text}`,
    interval: `two standard errors: ${signed(low(worst))} to ${signed(high(worst))}`,
    evidence: `${evidence} ${each.join("; ")}.`,
    ...(figure === undefined ? {} : { figure }),
  };
}
