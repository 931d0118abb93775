/** What became of a paper's claims, as the report lists it. */
import { type ClaimVerdict, claimsOf } from "../../experiment/study/claims.ts";
import { formatNumber } from "../../platform/format.ts";
import type { Verdict, VerdictList } from "../document.ts";
import { type CurveGroup, removalFigure } from "./curve-figures.ts";
import type { Study } from "./study.ts";

interface Part {
  readonly study: Study;
  readonly groups: readonly CurveGroup[];
}

/** Nothing where no plan asks for it. */
export function verdictsOf(parts: readonly Part[]): { verdicts?: VerdictList } {
  const asked = parts.filter(({ study }) => study.record.plan.claims !== undefined);
  if (asked.length === 0) return {};
  return {
    verdicts: {
      heading: "The paper's claims",
      introduction: "What arXiv 2407.16286 found, put to this study's figures.",
      claims: asked.flatMap((part) => claimsOf(part.study.record).map((verdict) => verdictOf(verdict, part))),
      rule:
        "A claim held where the 95% interval of its number lies on its side of the line that the claim draws, did not " +
        "hold where it lies on the other, and cannot be told where it lies on both or where something was not measured. " +
        "Intervals are over chunks of text or questions; with one draw of the calibration text they say nothing of draws.",
    },
  };
}

function verdictOf(
  { claim, verdict, difference, measure, evidence, evaluation }: ClaimVerdict,
  part: Part,
): Verdict {
  const group = part.groups.find((one) => one.evaluation === evaluation);
  const figure = group === undefined ? undefined : removalFigure(part.study, group)?.id;
  const signed = (value: number) => `${value > 0 ? "+" : ""}${formatNumber(value, 2)}`;
  return {
    verdict,
    claim,
    ...(difference === null
      ? {}
      : {
          measured: `${signed(difference.above)} ${measure}`,
          interval: `95% ${signed(difference.low)} to ${signed(difference.high)}`,
        }),
    evidence,
    ...(figure === undefined ? {} : { figure }),
  };
}
