/** The claims, each with what became of it: an icon, a word and a colour, so that none of them is needed. */
import type { Verdict, VerdictList } from "../document.ts";
import { escapeText } from "../figures/svg.ts";
import { anchors, type Context } from "./context.ts";
import { figureLink, prose } from "./prose.ts";

const kinds = {
  held: { word: "held", sign: "M4.6 8.4 7 10.7l4.5-5.2" },
  "did-not-hold": { word: "did not hold", sign: "m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" },
  "cannot-be-told": { word: "cannot be told", sign: "M6.1 6.3a1.95 1.95 0 1 1 2.8 1.8q-.9.5-.9 1.4m0 2v.1" },
} as const;

const VERDICTS = "verdicts";

const badge = (verdict: Verdict["verdict"]) =>
  [
    `<span class="badge ${verdict}"><svg viewBox="0 0 16 16" aria-hidden="true">`,
    `<circle cx="8" cy="8" r="7"/><path d="${kinds[verdict].sign}"/></svg>${kinds[verdict].word}`,
    `</span>`,
  ].join("");

/** How many held, did not and cannot be told, at the top of the page. */
export function tally({ heading, claims }: VerdictList): string {
  const counts = Object.keys(kinds).flatMap((name) => {
    const verdict = name as Verdict["verdict"];
    const count = claims.filter((claim) => claim.verdict === verdict).length;
    return count === 0 ? [] : [`<a href="#${anchors.section(VERDICTS)}">${badge(verdict)} ${count}</a>`];
  });
  return `<p class="tally">${escapeText(heading)}: ${counts.join(" ")}</p>`;
}

export function verdictSection(list: VerdictList, context: Context): string {
  const claims = list.claims.map(
    (claim) => `<li>${badge(claim.verdict)}<div>${claimHtml(claim, context)}</div></li>`,
  );
  return [
    `<section id="${anchors.section(VERDICTS)}"><h2>${escapeText(list.heading)}</h2>`,
    `<p class="lead">${prose(list.introduction, context)}</p><ol class="claims">`,
    `${claims.join("")}</ol><p class="aside">${prose(list.rule, context)}</p></section>`,
  ].join("");
}

function claimHtml({ claim, measured, interval, evidence, figure }: Verdict, context: Context): string {
  const spread = interval === undefined ? "" : ` <span>${escapeText(interval)}</span>`;
  const number =
    measured === undefined ? "" : `<p class="measured"><b>${escapeText(measured)}</b>${spread}</p>`;
  const link = figure === undefined ? "" : ` ${figureLink(figure, context)}`;
  return `<h4>${escapeText(claim)}</h4>${number}<p>${prose(evidence, context)}${link}</p>`;
}

export const verdictEntry = ({ heading }: VerdictList) => ({ id: VERDICTS, heading });
