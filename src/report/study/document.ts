/** From records to a report: figures, and sentences that their numbers bear. */
import { groupBy } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import type { StudyRecord } from "../../experiment/study/record.ts";
import { aStudyRecord } from "../../experiment/study/rows.ts";
import { anyOf, type Checks, checkArgument, checkOptions, listOf } from "../../options.ts";
import { formatSeconds } from "../../platform/format.ts";
import type { KeyNumber, ReportDocument, ReportSection } from "../document.ts";
import type { Figure } from "../figures/types.ts";
import { costFigure, textsFigure, tradeOffTable } from "./cost-figures.ts";
import {
  atLargest,
  type CurveGroup,
  curveFindings,
  groupsOf,
  kindsFigure,
  removalFigure,
  removedWords,
  repairFigures,
} from "./curve-figures.ts";
import { influenceFigures } from "./influence-figures.ts";
import { policyTable } from "./policy-figures.ts";
import { environmentOf, protocolsIn } from "./protocols.ts";
import {
  type Across,
  differenceText,
  list,
  readStudy,
  type Study,
  shownName,
  slug,
  valueText,
} from "./study.ts";
import { valueFigures } from "./value-figures.ts";
import { verdictsOf } from "./verdicts.ts";

/** How a report shows its records. */
export interface StudyReportOptions {
  /**
   * What is across in the figures of removals: `removals` as the plan has them (the default), the share of
   * `parameters` removed, or of a token's measured `time` saved, which needs a `profile` among the plan's
   * evaluations.
   */
  across?: Across;
}

/**
 * A report of one study, or of several beside each other. Figures of different records never share an axis.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function studyReport(
  records: readonly StudyRecord[],
  options: StudyReportOptions = {},
): ReportDocument {
  checkArgument("studyReport", "records", records, listOf(aStudyRecord, 1));
  checkOptions("studyReport", options, {
    across: anyOf("removals", "parameters", "time"),
  } satisfies Checks<StudyReportOptions>);
  const studies: Study[] = [];
  let protocol = 1;
  for (const [at, record] of records.entries()) {
    const study = readStudy(record, records.length > 1 ? `run-${at + 1}` : "", protocol, options.across);
    if (options.across === "time" && study.timeLeft.size === 0) throw untimedStudy(record);
    protocol += study.protocols.size + study.calibrationProtocols.size;
    studies.push(study);
  }
  const parts = studies.map((study) => ({ study, groups: groupsOf(study) }));
  const findings = parts.flatMap(({ study, groups }) =>
    groups.flatMap((group) => curveFindings(study, group)),
  );
  const [first] = parts;
  const [group] = first?.groups ?? [];
  const titles = records.flatMap(({ plan }) => (plan.title === undefined ? [] : [plan.title]));
  const models = [...new Set(records.flatMap((record) => record.models.map(({ name }) => name)))];
  return {
    kicker: ["Study report", ...models],
    title: titles[0] ?? findings[0]?.claim ?? "A study without figures",
    standfirst: parts.map(({ study }) => whatWasDone(study)).join(" "),
    numbers: first === undefined || group === undefined ? [] : numbersOf(first.study, group),
    findings: findings.map(({ claim, text, figure }) => ({ claim, text: [text, " ", { figure }, "."] })),
    sections: parts.flatMap(({ study, groups }) => sectionsOf(study, groups)),
    ...verdictsOf(parts),
    protocols: studies.flatMap(protocolsIn),
    protocolNote: "Figures of different protocols are not compared: each figure names its own.",
    environment: studies.flatMap(environmentOf),
    footer: "Made by depthkit from the record of the study, which has every number in it.",
  };
}

function untimedStudy({ plan }: StudyRecord): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `The report is to have measured time across, and the study${plan.title === undefined ? "" : ` "${plan.title}"`} ` +
      `timed no subnetwork. Add { kind: "profile" } to the plan's evaluations and run it again, or take ` +
      `"removals" or "parameters".`,
    { details: { across: "time" } },
  );
}

function whatWasDone({ record }: Study): string {
  const { plan, subnetworks } = record;
  const failed =
    record.results.filter(({ error }) => error !== null).length +
    subnetworks.filter(({ error }) => error !== null).length;
  const repairs = plan.repairs.length === 0 ? "" : `, ${counted(plan.repairs.length, "repair")}`;
  const seconds = record.timings.steps.reduce((sum, step) => sum + step.seconds, 0);
  return (
    `${list(record.models.map(({ name }) => name))}: ${counted(plan.rankings.length, "ranking")}${repairs}, ` +
    `${subnetworks.length} subnetworks on ${counted(plan.evaluations.length, "measure")}, in ${formatSeconds(seconds)}.` +
    (failed === 0 ? "" : ` ${failed} of them could not be done, and stand in the record with their reasons.`)
  );
}

const counted = (count: number, of: string): string => `${count} ${of}${count === 1 ? "" : "s"}`;

/** Of the first measure: the whole model, and the best at the largest removal. */
function numbersOf(study: Study, group: CurveGroup): KeyNumber[] {
  const { removal, order } = atLargest(group.bare);
  const [best] = order;
  if (best === undefined) return [];
  const { curve, point } = best;
  const { units } = group;
  const gone = removedWords(study, removal, units);
  const repaired = atLargest(group.repaired).order[0];
  return [
    {
      value: valueText(curve, curve.whole),
      text: `${shownName(curve)} of the whole model on ${group.evaluation}`,
    },
    {
      value: valueText(curve, point.value ?? Number.NaN),
      text: `without ${gone}, chosen by ${curve.ranking}`,
    },
    ...(point.above === null ? [] : [{ value: differenceText(curve, point.above), text: "what that costs" }]),
    ...(repaired === undefined
      ? []
      : [
          {
            value: valueText(repaired.curve, repaired.point.value ?? Number.NaN),
            text: `after the repair ${repaired.curve.repair}, chosen by ${repaired.curve.ranking}`,
          },
        ]),
  ];
}

function sectionsOf(study: Study, groups: readonly CurveGroup[]): ReportSection[] {
  const section = (id: string, heading: string, paragraphs: readonly string[], figures: readonly Figure[]) =>
    figures.length === 0 ? [] : [{ id: slug(study.prefix, id), heading, paragraphs, figures }];
  const present = <T>(figures: readonly (T | undefined)[]): T[] => figures.filter((one) => one !== undefined);
  const together = (key: (group: CurveGroup) => readonly string[]) => [
    ...groupBy(groups, (group) => JSON.stringify(key(group))).values(),
  ];
  const tables = together(({ model, calibration, units }) => [model, calibration, units]);
  const byKind = together(({ model, calibration, evaluation }) => [model, calibration, evaluation]);
  return [
    ...section(
      "removal",
      "What removing costs",
      ["Nothing is put in place of what goes here. Every line starts at the whole model."],
      [
        ...present(groups.map((group) => removalFigure(study, group))),
        ...present(byKind.map((own) => kindsFigure(study, own))),
      ],
    ),
    ...section(
      "repair",
      "What a repair wins back",
      [],
      groups.flatMap((group) => repairFigures(study, group)),
    ),
    ...section(
      "trade-offs",
      "One choice, several measures",
      [],
      present(tables.map((own) => tradeOffTable(study, own))),
    ),
    ...section(
      "weight",
      "Where weight lies",
      ["How far each unit moves the residual stream: cheap to measure, and no more than a first guess."],
      influenceFigures(study),
    ),
    ...section(
      "policies",
      "Skipping by what a token has seen",
      ["Nothing is removed by a policy. It decides for each token which units run."],
      present([policyTable(study)]),
    ),
    ...section("values", "What units are worth, and who goes", [], valueFigures(study)),
    ...section("cost", "Quality against cost", [], present(groups.map((group) => costFigure(study, group)))),
    ...section("texts", "What the models write", [], textsFigure(study)),
  ];
}
