/** What a report is made of, checked at the call: its fields, no others, and no number like NaN. */
import { anyOf, aText, type Check, type Checks, listOf, objectOf, required } from "../../options.ts";
import type {
  Finding,
  KeyNumber,
  ReportDocument,
  ReportProtocol,
  ReportSection,
  Verdict,
  VerdictList,
} from "../document.ts";
import { aFigure } from "./figure-shapes.ts";
import { aName, aProtocolName, someProse } from "./values.ts";

const aVerdict = objectOf({
  verdict: required(anyOf("held", "did-not-hold", "cannot-be-told")),
  claim: required(aText),
  measured: aText,
  interval: aText,
  evidence: required(someProse),
  figure: aText,
} satisfies Checks<Verdict>);

const aSection = objectOf({
  id: required(aName),
  heading: required(aText),
  paragraphs: required(listOf(someProse)),
  figures: required(listOf(aFigure)),
  note: someProse,
} satisfies Checks<ReportSection>);

export const aReport: Check = objectOf({
  kicker: required(listOf(aText)),
  title: required(aText),
  standfirst: required(someProse),
  numbers: required(
    listOf(objectOf({ value: required(aText), text: required(aText) } satisfies Checks<KeyNumber>)),
  ),
  findings: required(
    listOf(objectOf({ claim: required(aText), text: required(someProse) } satisfies Checks<Finding>)),
  ),
  sections: required(listOf(aSection)),
  verdicts: objectOf({
    heading: required(aText),
    introduction: required(someProse),
    claims: required(listOf(aVerdict)),
    rule: required(someProse),
  } satisfies Checks<VerdictList>),
  protocols: required(
    listOf(
      objectOf({
        id: required(aProtocolName),
        name: required(aText),
        description: required(someProse),
      } satisfies Checks<ReportProtocol>),
    ),
  ),
  protocolNote: someProse,
  environment: required(listOf(objectOf({ name: required(aText), value: required(aText) }))),
  footer: someProse,
} satisfies Checks<ReportDocument>);
