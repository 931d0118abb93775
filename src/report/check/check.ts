import { checkArgument, type Fault, join, refuse } from "../../options.ts";
import type { ReportDocument } from "../document.ts";
import type { Prose } from "../figures/types.ts";
import { figureFaults } from "./figure-sense.ts";
import { aReport } from "./shapes.ts";

/** Names of sections that the page has by itself. */
const TAKEN = ["found", "verdicts", "protocols"];

/** @throws DepthkitError INVALID_ARGUMENT with every fault of the report's shape, or else of its sense */
export function checkReport(call: string, report: ReportDocument): void {
  checkArgument(call, "report", report, aReport);
  refuse(call, senseFaults(report));
}

function senseFaults(report: ReportDocument): Fault[] {
  const figures = report.sections.flatMap((section, s) =>
    section.figures.map((figure, f) => ({ figure, path: `report.sections.${s}.figures.${f}` })),
  );
  const known = {
    figure: figures.map(({ figure }) => figure.id),
    section: [...report.sections.map(({ id }) => id), ...TAKEN],
    protocol: report.protocols.map(({ id }) => id),
  };
  const link = (kind: keyof typeof known, id: string, path: string): Fault[] =>
    known[kind].includes(id)
      ? []
      : [{ path, words: `the report has no ${kind} "${id}"; it has ${known[kind].join(", ") || "none"}.` }];
  return [
    ...repeated(known.figure, (index) => `${figures[index]?.path}.id`),
    ...repeated(
      [...TAKEN, ...report.sections.map(({ id }) => id)],
      (index) => `report.sections.${index - TAKEN.length}.id`,
    ),
    ...repeated(known.protocol, (index) => `report.protocols.${index}.id`),
    ...figures.flatMap(({ figure, path }) => [
      ...figureFaults(figure, path),
      ...figure.protocols.flatMap((id, index) => link("protocol", id, join(path, `protocols.${index}`))),
    ]),
    ...(report.verdicts?.claims ?? []).flatMap(({ figure }, index) =>
      figure === undefined ? [] : link("figure", figure, `report.verdicts.claims.${index}.figure`),
    ),
    ...proseOf(report).flatMap(({ words, path }) =>
      linksOf(words).flatMap(({ kind, id }) => link(kind, id, path)),
    ),
  ];
}

function repeated(ids: readonly string[], pathOf: (index: number) => string): Fault[] {
  return ids.flatMap((id, index) =>
    ids.indexOf(id) === index
      ? []
      : [{ path: pathOf(index), words: `the name "${id}" is taken; each has its own.` }],
  );
}

interface Link {
  readonly kind: "figure" | "section" | "protocol";
  readonly id: string;
}

function linksOf(words: Prose): Link[] {
  if (typeof words === "string") return [];
  return words.flatMap((part): Link[] => {
    if (typeof part === "string" || "strong" in part) return [];
    if ("figure" in part) return [{ kind: "figure", id: part.figure }];
    if ("section" in part) return [{ kind: "section", id: part.section }];
    return [{ kind: "protocol", id: part.protocol }];
  });
}

interface Placed {
  readonly words: Prose;
  readonly path: string;
}

function proseOf(report: ReportDocument): Placed[] {
  const one = (path: string, words: Prose | undefined): Placed[] =>
    words === undefined ? [] : [{ words, path: `report.${path}` }];
  return [
    ...one("standfirst", report.standfirst),
    ...report.findings.flatMap(({ text }, index) => one(`findings.${index}.text`, text)),
    ...report.sections.flatMap(({ paragraphs, figures, note }, index) => [
      ...paragraphs.flatMap((words, place) => one(`sections.${index}.paragraphs.${place}`, words)),
      ...figures.flatMap(({ caption }, place) => one(`sections.${index}.figures.${place}.caption`, caption)),
      ...one(`sections.${index}.note`, note),
    ]),
    ...one("verdicts.introduction", report.verdicts?.introduction),
    ...(report.verdicts?.claims ?? []).flatMap(({ evidence }, index) =>
      one(`verdicts.claims.${index}.evidence`, evidence),
    ),
    ...one("verdicts.rule", report.verdicts?.rule),
    ...report.protocols.flatMap(({ description }, index) =>
      one(`protocols.${index}.description`, description),
    ),
    ...one("protocolNote", report.protocolNote),
    ...one("footer", report.footer),
  ];
}
