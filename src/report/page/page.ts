/** The page: one file that needs no network, no script and nothing beside it. */
import type { Finding, KeyNumber, ReportDocument, ReportSection } from "../document.ts";
import { escapeText } from "../figures/svg.ts";
import { anchors, type Context, contextOf } from "./context.ts";
import { type DrawnFigure, figureHtml } from "./figure.ts";
import { chip, prose } from "./prose.ts";
import { pageStyle } from "./style.ts";
import { tally, verdictEntry, verdictSection } from "./verdicts.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";

/** The page around its body, with a style sheet's rules for its typefaces. */
export function pageHtml(title: string, body: string, fonts: string): string {
  const head = [
    `<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">`,
    `<meta name="color-scheme" content="light dark">`,
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    `<meta name="generator" content="depthkit"><title>${escapeText(title)}</title><style>${fonts}`,
    `${pageStyle}</style>`,
  ].join("");
  return `<!doctype html>\n<html lang="en"><head>${head}</head>\n<body>${body}</body></html>\n`;
}

const FOUND = { id: "found", heading: "What was found" };
const PROTOCOLS = { id: "protocols", heading: "Protocols and environment" };

export function bodyHtml(report: ReportDocument, figures: readonly DrawnFigure[]): string {
  const context = contextOf(report);
  const drawn = new Map(figures.map((one) => [one.figure.id, one]));
  const { verdicts } = report;
  const entries = [FOUND, ...report.sections, ...(verdicts ? [verdictEntry(verdicts)] : []), PROTOCOLS];
  const contents = entries.map(
    ({ id, heading }) => `<li><a href="#${anchors.section(id)}">${escapeText(heading)}</a></li>`,
  );
  return `<nav aria-label="Contents"><b>depthkit</b><ol>${contents.join("")}</ol></nav>
<main>${headerHtml(report, context)}
<details class="contents"><summary>Contents</summary><ol>${contents.join("")}</ol></details>
${foundHtml(report, context)}
${report.sections.map((section) => sectionHtml(section, drawn, context)).join("\n")}
${verdicts === undefined ? "" : verdictSection(verdicts, context)}
${protocolsHtml(report, context)}
${report.footer === undefined ? "" : `<footer>${prose(report.footer, context)}</footer>`}</main>`;
}

function headerHtml({ kicker, title, standfirst }: ReportDocument, context: Context): string {
  const small = kicker.map((word) => `<span>${escapeText(word)}</span>`).join(" ");
  return [
    `<header><p class="kicker">${small}</p><h1>${escapeText(title)}</h1><p class="stand">`,
    `${prose(standfirst, context)}</p></header>`,
  ].join("");
}

function foundHtml({ numbers, findings, verdicts }: ReportDocument, context: Context): string {
  const tiles = numbers.length === 0 ? "" : `<div class="tiles">${numbers.map(tile).join("")}</div>`;
  const list =
    findings.length === 0
      ? ""
      : `<ol class="findings">${findings.map((finding) => findingHtml(finding, context)).join("")}</ol>`;
  const sum = verdicts === undefined ? "" : tally(verdicts);
  return [
    `<section id="${anchors.section(FOUND.id)}" aria-label="${FOUND.heading}">${tiles}${list}`,
    `${sum}</section>`,
  ].join("");
}

const tile = ({ value, text }: KeyNumber) =>
  `<div class="tile"><b>${escapeText(value)}</b><span>${escapeText(text)}</span></div>`;

const findingHtml = ({ claim, text }: Finding, context: Context) =>
  `<li><b>${escapeText(claim)}</b> ${prose(text, context)}</li>`;

function sectionHtml(
  { id, heading, paragraphs, figures, note }: ReportSection,
  drawn: ReadonlyMap<string, DrawnFigure>,
  context: Context,
): string {
  const words = paragraphs.map((paragraph) => `<p class="lead">${prose(paragraph, context)}</p>`).join("");
  const pictures = figures.flatMap((figure) => drawn.get(figure.id) ?? []);
  const small = note === undefined ? "" : `<p class="aside">${prose(note, context)}</p>`;
  return [
    `<section id="${anchors.section(id)}"><h2>${escapeText(heading)}</h2>${words}`,
    `${pictures.map((one) => figureHtml(one, context)).join("\n")}${small}</section>`,
  ].join("");
}

function protocolsHtml({ protocols, protocolNote, environment }: ReportDocument, context: Context): string {
  const list = protocols.map(({ id, name, description }) =>
    [
      `<div id="${anchors.protocol(id)}"><dt>${chip(id)} ${escapeText(name)}</dt><dd>`,
      `${prose(description, context)}</dd></div>`,
    ].join(""),
  );
  const note = protocolNote === undefined ? "" : `<p class="aside">${prose(protocolNote, context)}</p>`;
  const rows = environment.map(
    ({ name, value }) =>
      `<tr><th scope="row">${escapeText(name)}</th><td class="s">${escapeText(value)}</td></tr>`,
  );
  const made = rows.length === 0 ? "" : `<table class="env"><tbody>${rows.join("")}</tbody></table>`;
  return [
    `<section id="${anchors.section(PROTOCOLS.id)}"><h2>${PROTOCOLS.heading}</h2>`,
    `<dl class="protocols">${list.join("")}</dl>${note}${made}</section>`,
  ].join("");
}
