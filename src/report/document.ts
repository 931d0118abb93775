/** What a report holds, in the order in which it is read. Plain data, as its figures are. */
import type { Figure, Prose } from "./figures/types.ts";

/** A page that tells what a study found. */
export interface ReportDocument {
  /** Small words above the title: "Study report", the model, the text. */
  kicker: readonly string[];
  /** The headline: a sentence that says what was found. */
  title: string;
  /** The first paragraph: what was done and found, in plain words. */
  standfirst: Prose;
  /** The numbers to remember, four at best. */
  numbers: readonly KeyNumber[];
  findings: readonly Finding[];
  sections: readonly ReportSection[];
  /** What became of the claims that the study put to the test. */
  verdicts?: VerdictList;
  protocols: readonly ReportProtocol[];
  /** How its protocols relate: which figures must not be compared. */
  protocolNote?: Prose;
  /** What it was made with: model, digests, versions, device. */
  environment: readonly { name: string; value: string }[];
  /** Said last. */
  footer?: Prose;
}

/** A number set large, and what it is. */
export interface KeyNumber {
  /** As it is to be written: "+12%". */
  value: string;
  text: string;
}

/** One finding: a claim, then what bears it. */
export interface Finding {
  claim: string;
  text: Prose;
}

/** A part of the report with a heading of its own. */
export interface ReportSection {
  /** Names its anchor: small letters, digits and hyphens. */
  id: string;
  heading: string;
  /** Before its figures. */
  paragraphs: readonly Prose[];
  figures: readonly Figure[];
  /** Smaller, after its figures: what the reader must not conclude. */
  note?: Prose;
}

/** The claims, each with what became of it. */
export interface VerdictList {
  /** "The paper's claims". */
  heading: string;
  introduction: Prose;
  claims: readonly Verdict[];
  /** By what rule a claim is held, is not, or cannot be told. */
  rule: Prose;
}

/** What became of a claim. */
export interface Verdict {
  verdict: "held" | "did-not-hold" | "cannot-be-told";
  claim: string;
  /** The number that decides: "+0.44 nats". */
  measured?: string;
  /** Around that number: "95% 0.39 to 0.49". */
  interval?: string;
  /** What the number is and why it decides. */
  evidence: Prose;
  /** The id of the figure that shows it. */
  figure?: string;
}

/** How numbers were had: text, chunk, stride, dtype. Figures and claims name it by its id. */
export interface ReportProtocol {
  /** Short, as the chip shows it: "P1". */
  id: string;
  name: string;
  description: Prose;
}
