/** Values of units with their intervals, how the estimate settled, pairs, and who goes first by which ranking. */
import type { StudyRecord } from "../../experiment/study/record.ts";
import type { Figure, IntervalsFigure, MapFigure, PanelsFigure, TableFigure } from "../figures/types.ts";
import { list, type Study, slug } from "./study.ts";

type RankedRow = StudyRecord["rankings"][number];

const firstDraws = ({ record }: Study): RankedRow[] => record.rankings.filter(({ draw }) => draw === 0);
const protocols = (study: Study, { calibration }: RankedRow): string[] =>
  [study.calibrationProtocols.get(calibration)].filter((id) => id !== undefined);

export function valueFigures(study: Study): Figure[] {
  const ranked = firstDraws(study);
  const valued = ranked.filter(({ estimated }) => estimated !== null);
  return [
    ...valued.map((one) => valuesOf(study, one)),
    ...convergence(study, valued),
    ...valued.flatMap((one) => pairsOf(study, one)),
    ...removalMap(study, ranked),
    ...drawTable(study),
  ];
}

const byValue = ({ scores }: RankedRow): [string, NonNullable<RankedRow["scores"]>[string]][] =>
  Object.entries(scores ?? {}).sort((a, b) => a[1].value - b[1].value);

function targetName(estimated: NonNullable<RankedRow["estimated"]>): string {
  const { target } = estimated;
  return target === "shapley"
    ? "Shapley values"
    : target.horizon === 1
      ? "Leave-one-out values"
      : `Values of horizon ${target.horizon}`;
}

function valuesOf(study: Study, one: RankedRow): IntervalsFigure {
  const estimated = one.estimated as NonNullable<RankedRow["estimated"]>;
  const players = byValue(one);
  const [lowest] = players;
  const counts = estimated.lowest.map(({ count }) => count);
  return {
    kind: "intervals",
    id: slug(study.prefix, "values", one.model, one.calibration, one.ranking),
    title: lowest === undefined ? "No unit was valued" : `By ${one.ranking}, ${lowest[0]} is worth least`,
    subtitle: `${targetName(estimated)} with 95% intervals; low means: remove first`,
    caption: [
      `${estimated.evaluations} subnetworks were evaluated, by the estimator ${estimated.method}. `,
      "The table says how sure it is that a unit is truly among the lowest.",
    ],
    protocols: protocols(study, one),
    description: `Dot and interval for each of ${players.length} units, the lowest first.`,
    groups: [
      {
        title: one.ranking,
        tone: "orange",
        value: { name: "value" },
        players: players.map(([name, { value, interval }]) => ({
          name,
          value,
          ...(interval === undefined ? {} : { low: interval[0], high: interval[1] }),
        })),
        ...(counts.length === 0
          ? {}
          : {
              lowest: {
                k: counts,
                players: players
                  .filter(([name]) => estimated.lowest.some(({ each }) => name in each))
                  .map(([name]) => ({
                    name,
                    chances: estimated.lowest.map(({ each }) => each[name] ?? null),
                  })),
                together: estimated.lowest.map(({ together }) => together),
              },
            }),
      },
    ],
  };
}

/** Mean standard error on the way, where there was something to look at. */
function convergence(study: Study, valued: readonly RankedRow[]): PanelsFigure[] {
  const sampled = valued.filter(({ estimated }) => (estimated?.trace.length ?? 0) > 1);
  const [first] = sampled;
  if (first === undefined) return [];
  const mean = (errors: readonly number[]) => errors.reduce((sum, error) => sum + error, 0) / errors.length;
  return [
    {
      kind: "panels",
      id: slug(study.prefix, "convergence"),
      title: "How the estimates settled",
      subtitle: "Mean standard error of the values, by subnetworks evaluated",
      caption: "An estimate looks at itself each time its evaluations have doubled.",
      protocols: protocols(study, first),
      description: `Line charts of the mean standard error, one for each of ${sampled.length} estimates.`,
      columns: 3,
      families: [{ name: "mean standard error", tone: "orange" }],
      panels: sampled.map(({ ranking, estimated }) => ({
        kind: "lines",
        title: ranking,
        x: { name: "evaluations" },
        y: { name: "standard error" },
        series: [
          {
            name: ranking,
            family: "mean standard error",
            points: (estimated?.trace ?? []).map(({ evaluations, standardErrors }) => ({
              x: evaluations,
              y: standardErrors.length === 0 ? null : mean(standardErrors),
            })),
          },
        ],
      })),
    },
  ];
}

/** What pairs do for each other, strongest first on both axes. */
function pairsOf(study: Study, one: RankedRow): MapFigure[] {
  const { interactions } = one.estimated as NonNullable<RankedRow["estimated"]>;
  if (interactions.length === 0) return [];
  const units = one.units.filter((unit) => interactions.some((pair) => pair.units.includes(unit)));
  const of = new Map(interactions.map(({ units: pair, value }) => [pair.join(), value]));
  const value = (a: string, b: string) => of.get(`${a},${b}`) ?? of.get(`${b},${a}`) ?? null;
  const limit = Math.max(...interactions.map((pair) => Math.abs(pair.value)));
  const [strongest] = interactions;
  const short = (unit: string) => unit.replace("block.", "");
  return [
    {
      kind: "map",
      id: slug(study.prefix, "pairs", one.model, one.calibration, one.ranking),
      title:
        strongest === undefined
          ? "No pair was measured"
          : `${list(strongest.units)} ${strongest.value < 0 ? "stand in for each other" : "need each other"} most`,
      subtitle: `Interactions of pairs by ${one.ranking}, in units of the value`,
      caption: "Above 0 two units need each other; below 0 each stands in for the other.",
      protocols: protocols(study, one),
      description: `Map of interactions between ${units.length} units.`,
      x: { name: "unit", entries: units.map(short) },
      y: { name: "unit", entries: units.map(short) },
      value: { name: "interaction", format: { digits: 2, sign: true } },
      cells: units.map((a) => units.map((b) => (a === b ? null : value(a, b)))),
      shading: {
        kind: "signed",
        positive: { tone: "blue", label: "need each other" },
        negative: { tone: "orange", label: "stand in for each other" },
        limit,
      },
    },
  ];
}

/** At which removal a block first goes, by each ranking. */
function removalMap(study: Study, ranked: readonly RankedRow[]): MapFigure[] {
  const { models } = study.record;
  const rows = ranked.filter(({ sets }) => sets.some(({ removed }) => removed.length > 0));
  const [model] = models;
  if (rows.length < 2 || model === undefined) return [];
  const { depth } = model.info;
  const largest = (row: RankedRow) =>
    row.sets.reduce((a, b) => (b.removed.length > a.removed.length ? b : a)).removed;
  const at = (row: RankedRow, block: number) => {
    const set = row.sets.find(({ removed }) => removed.some((unit) => unit.endsWith(`.${block}`)));
    return set === undefined ? null : set.removed.length;
  };
  const all = rows.map((row) => new Set(largest(row)));
  const shared = [...(all[0] ?? [])].filter((unit) => all.every((set) => set.has(unit)));
  const most = Math.max(...rows.map((row) => largest(row).length));
  return [
    {
      kind: "map",
      id: slug(study.prefix, "who-goes"),
      title:
        shared.length === 0
          ? "No unit goes by every ranking"
          : `${list(shared)} ${shared.length === 1 ? "goes" : "go"} by every ranking`,
      subtitle: "The smallest removal at which a unit of a block goes, by ranking",
      caption: "Strong colour goes first. Rankings of sublayers name the block that the sublayer is in.",
      protocols: protocols(study, rows[0] as RankedRow),
      description: `Map of ${rows.length} rankings by ${depth} blocks: at which removal each goes.`,
      x: { name: "block", entries: Array.from({ length: depth }, (_, block) => String(block)) },
      y: { name: "ranking", entries: rows.map((row) => label(study, row)) },
      value: { name: "units gone by then", format: { digits: 0 } },
      cells: rows.map((row) => Array.from({ length: depth }, (_, block) => at(row, block))),
      shading: { kind: "one", tone: "blue", weakest: most + 1, strongest: 1 },
    },
  ];
}

function label({ record }: Study, { ranking, model, calibration }: RankedRow): string {
  const more = [
    record.models.length > 1 ? model : "",
    record.plan.calibrations.length > 1 ? calibration : "",
  ];
  return [ranking, ...more.filter((part) => part !== "")].join(", ");
}

/** How much of a choice is the draw's, where there are draws. */
function drawTable(study: Study): TableFigure[] {
  const { record } = study;
  if (record.plan.draws < 2) return [];
  const rankings = [...new Set(record.rankings.map(({ ranking }) => ranking))];
  const removals = Array.isArray(record.plan.removals) ? record.plan.removals : record.plan.removals.shares;
  const overlap = (ranking: string, removal: number): number | null => {
    const sets = record.rankings
      .filter((row) => row.ranking === ranking)
      .flatMap(({ sets: own }) => own.filter((set) => set.removal === removal && set.error === null));
    const pairs = sets.flatMap((a, at) => sets.slice(at + 1).map((b) => shared(a.removed, b.removed)));
    return pairs.length === 0 ? null : pairs.reduce((sum, one) => sum + one, 0) / pairs.length;
  };
  return [
    {
      kind: "table",
      id: slug(study.prefix, "draws"),
      title: "How much of each choice is the draw of its text",
      subtitle: `Share of removed units that two of ${record.plan.draws} draws have in common, in the mean`,
      caption: "100%: the choice is the same whichever part of the text it was made on.",
      protocols: [...study.calibrationProtocols.values()],
      description: `Table of the overlap between draws for ${rankings.length} rankings.`,
      columns: [
        { title: "ranking" },
        ...removals.map((removal) => ({
          title: `${removal}`,
          format: { style: "percent", digits: 0 } as const,
          bar: { tone: "blue", limit: 1 } as const,
        })),
      ],
      rows: rankings.map((ranking) => [ranking, ...removals.map((removal) => overlap(ranking, removal))]),
    },
  ];
}

function shared(a: readonly string[], b: readonly string[]): number {
  const most = Math.max(a.length, b.length);
  return most === 0 ? 1 : a.filter((unit) => b.includes(unit)).length / most;
}
