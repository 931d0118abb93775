/** The main figures: what is lost against what was removed, one line per ranking, then with repairs. */
import { groupBy, item } from "../../arrays.ts";
import {
  type Curve,
  type CurvePoint,
  compareSubnetworks,
  isLowerBetter,
} from "../../experiment/study/curves.ts";
import { formatNumber } from "../../platform/format.ts";
import type { Axis, DataRows, Figure, LineSeries, LinesFigure, TableFigure } from "../figures/types.ts";
import {
  drawn,
  kindOf,
  list,
  type Study,
  shown,
  shownName,
  slug,
  unitsOf,
  valueAxis,
  valueText,
} from "./study.ts";

/** Curves of one model, one calibration and one evaluation. */
export interface CurveGroup {
  readonly model: string;
  readonly calibration: string;
  readonly evaluation: string;
  /**
   * What is removed: so many units of another kind are of another size, and stand in a group of their own.
   */
  readonly units: string;
  /** Nothing in place, a ranking each. */
  readonly bare: readonly Curve[];
  readonly repaired: readonly Curve[];
}

export function groupsOf(study: Study): CurveGroup[] {
  const groups = groupBy(study.curves, ({ model, calibration, evaluation, ranking }) =>
    JSON.stringify([model, calibration, evaluation, unitsOf(study, ranking)]),
  );
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const { model, calibration, evaluation } = first;
    const units = unitsOf(study, first.ranking);
    const bare = own.filter(({ repair }) => repair === null);
    const repaired = own.filter(({ repair }) => repair !== null);
    return [{ model, calibration, evaluation, units, bare, repaired }];
  });
}

/** The largest removal that every curve has, and what each has there, the best first. */
export function atLargest(curves: readonly Curve[]): {
  removal: number;
  order: { curve: Curve; point: CurvePoint }[];
} {
  const has = (curve: Curve, removal: number) =>
    curve.points.find((point) => point.removal === removal && point.value !== null);
  const [first] = curves;
  const common = (first?.points ?? [])
    .map(({ removal }) => removal)
    .filter((removal) => removal > 0 && curves.every((curve) => has(curve, removal) !== undefined));
  const removal = Math.max(0, ...common);
  const order = curves
    .flatMap((curve) => {
      const point = has(curve, removal);
      return point === undefined ? [] : [{ curve, point }];
    })
    .sort((a, b) => better(a.curve) * ((a.point.value ?? 0) - (b.point.value ?? 0)));
  return { removal, order };
}

const better = ({ measure }: Curve): 1 | -1 => (isLowerBetter(measure) ? 1 : -1);

/** Removed, as an axis and in words: numbers of units, or shares. */
export function removedWords({ record }: Study, removal: number, units: string): string {
  const { removals } = record.plan;
  if (Array.isArray(removals)) return `${removal} ${removal === 1 ? units.replace(/s$/, "") : units}`;
  return `${formatNumber(100 * removal, 3)}% of the ${removals.of}`;
}

const percent = { style: "percent", digits: 0 } as const;

function removalAxis({ record, across }: Study, units: string, curves: readonly Curve[]): Axis {
  if (across === "parameters") return { name: "share of parameters removed", format: percent };
  if (across === "time") return { name: "share of a token's time saved", format: percent };
  const { removals } = record.plan;
  if (!Array.isArray(removals)) {
    return { name: `share of ${removals.of} removed`, format: percent };
  }
  const [first] = curves;
  // The second line of a tick is true for all lines only where each of their units has the same size.
  const sameSize = curves.every((curve) =>
    curve.points.every(
      (point, at) => Math.abs(point.parameterShare - (first?.points[at]?.parameterShare ?? -1)) < 1e-6,
    ),
  );
  const ticks = (first?.points ?? []).map(({ removal, parameterShare }) => ({
    at: removal,
    ...(sameSize ? { below: removal === 0 ? "whole" : `−${formatNumber(100 * parameterShare, 3)}%` } : {}),
  }));
  return { name: `removed ${units}`, ticks };
}

/** Where a point lies across; null where a subnetwork of it was not timed. */
function acrossOf({ across, timeLeft }: Study, point: CurvePoint): number | null {
  if (across === "removals") return point.removal;
  if (across === "parameters") return point.parameterShare;
  if (point.removal === 0) return 0;
  const left = point.subnetworks.map((id) => timeLeft.get(id));
  const known = left.filter((one) => one !== undefined);
  if (known.length < left.length || known.length === 0) return null;
  return 1 - known.reduce((sum, one) => sum + one, 0) / known.length;
}

/** What of the curves does not stand in the figure. */
function untimed(study: Study, curves: readonly Curve[]): string[] {
  const missing = curves.flatMap(({ points }) => points.filter((point) => acrossOf(study, point) === null));
  if (missing.length === 0) return [];
  return [`${missing.length === 1 ? "One point was" : `${missing.length} points were`} not timed. `];
}

/** One line per ranking; emphasis on the best, and on the control that every ranking must beat. */
export function removalFigure(study: Study, group: CurveGroup): LinesFigure | undefined {
  const { bare, evaluation } = group;
  const [first] = bare;
  if (first === undefined) return undefined;
  const { units } = group;
  const { removal, order } = atLargest(bare);
  const best = order[0]?.curve.ranking;
  const families = [
    ...new Map(bare.map(({ ranking }) => [kindOf(study, ranking).name, kindOf(study, ranking)])).values(),
  ];
  const name = shownName(first);
  const bounded = order[0]?.curve.points.some(({ low }) => low !== null && low !== 0) === true;
  const frame = frameOf(study, bare);
  const axis = removalAxis(study, units, bare);
  return {
    kind: "lines",
    id: slug(study.prefix, "removal", group.model, group.calibration, evaluation, units),
    title: titleOf(study, order, removal, units),
    subtitle: `${capital(name)} on ${evaluation}${name === "perplexity" ? " (log scale)" : ""} by ${axis.name}`,
    caption: [
      ...(bounded
        ? [`The band of the best line is a 95% interval of ${bandWords(study)}; the table has all. `]
        : []),
      ...frame.beyond,
      ...untimed(study, bare),
    ],
    protocols: protocolsOf(study, group),
    description: `Line chart: ${name} on ${evaluation} against removed ${units}, one line for each of ${bare.length} rankings.`,
    x: axis,
    y: { ...valueAxis(first), ...(frame.domain === undefined ? {} : { domain: frame.domain }) },
    families,
    series: bare.map((curve) =>
      seriesOf(study, curve, curve.ranking, kindOf(study, curve.ranking).name, curve.ranking === best),
    ),
    ...(name === "perplexity"
      ? {
          reference: {
            low: shown(first, first.whole),
            high: 1.1 * shown(first, first.whole),
            label: "within 10% of the whole model",
            short: "within 10%",
          },
        }
      : {}),
    whole: { x: 0, y: shown(first, first.whole), label: "whole model" },
    ...(bounded ? { band: "95% interval" } : {}),
    data: dataOf(study, bare, ({ ranking }) => ranking),
  };
}

/**
 * Controls that are far worse than all else would press the others together: they leave the frame, and it is
 * said.
 */
function frameOf(
  study: Study,
  curves: readonly Curve[],
): { domain?: readonly [number, number]; beyond: string[] } {
  const isControl = ({ ranking }: Curve) => kindOf(study, ranking).name === "controls";
  const valuesOf = (curve: Curve) =>
    curve.points.flatMap((point) => {
      const { y, low = y, high = y } = drawn(curve, point);
      return [y, low, high].filter((value) => value !== null);
    });
  const others = curves.filter((curve) => !isControl(curve)).flatMap(valuesOf);
  const [first] = curves;
  if (first === undefined || first.measure === "accuracy" || others.length === 0) return { beyond: [] };
  const limit = 1.25 * Math.max(...others);
  const beyond = curves.filter(isControl).flatMap((curve) => {
    const outside = curve.points.filter(({ value }) => value !== null && shown(curve, value) > limit);
    const said = outside.map(
      ({ removal, value }) => `${valueText(curve, value ?? Number.NaN)} at ${removal}`,
    );
    return said.length === 0 ? [] : [`${capital(curve.ranking)} leaves the frame: ${list(said)}. `];
  });
  if (beyond.length === 0) return { beyond };
  return { domain: [0.97 * Math.min(...curves.flatMap(valuesOf)), limit], beyond };
}

/** Every number of the curves, with its interval. */
function dataOf(study: Study, curves: readonly Curve[], nameOf: (curve: Curve) => string): DataRows {
  const [first] = curves;
  const name = first === undefined ? "value" : shownName(first);
  const timed = study.timeLeft.size > 0;
  const byTime = { ...study, across: "time" } as const;
  const saved = (point: CurvePoint) => (timed ? [acrossOf(byTime, point)] : []);
  return {
    columns: [
      "line",
      "removed",
      "share of parameters",
      ...(timed ? ["share of time saved"] : []),
      name,
      "low",
      "high",
    ],
    rows: curves.flatMap((curve) =>
      curve.points.map((point) => {
        const { y, low = null, high = null } = drawn(curve, point);
        return [nameOf(curve), point.removal, point.parameterShare, ...saved(point), y, low, high];
      }),
    ),
  };
}

/** The best ranking of each kind of unit, at equal parameters. */
export function kindsFigure(study: Study, groups: readonly CurveGroup[]): LinesFigure | undefined {
  const lines = groups.flatMap((group) => {
    const [best] = atLargest(group.bare).order;
    return best === undefined ? [] : [{ units: group.units, curve: best.curve }];
  });
  const [first] = groups;
  const [line] = lines;
  if (first === undefined || line === undefined || lines.length < 2) return undefined;
  const tones = ["ink", "blue", "orange", "green", "violet", "grey"] as const;
  const name = shownName(line.curve);
  return {
    kind: "lines",
    id: slug(study.prefix, "kinds", first.model, first.calibration, first.evaluation),
    title: "Kinds of units at equal parameters",
    subtitle: `${capital(name)} on ${first.evaluation}${name === "perplexity" ? " (log scale)" : ""} by the share of parameters removed`,
    caption: "Of each kind of unit the ranking that is best at its largest removal.",
    protocols: protocolsOf(study, first),
    description: `Line chart: ${name} against the share of parameters removed, one line for each of ${lines.length} kinds of unit.`,
    x: { name: "share of parameters removed", format: percent },
    y: valueAxis(line.curve),
    families: lines.map(({ units }, at) => ({ name: units, tone: item(tones, at % tones.length) })),
    series: lines.map(({ units, curve }) => ({
      name: `${units}, ${curve.ranking}`,
      short: units,
      family: units,
      points: curve.points.map((point) => ({ x: point.parameterShare, y: drawn(curve, point).y })),
    })),
    whole: { x: 0, y: shown(line.curve, line.curve.whole), label: "whole model" },
  };
}

const bandWords = ({ record }: Study): string =>
  record.plan.draws > 1
    ? `the mean over ${record.plan.draws} draws of the calibration text`
    : "the difference to the whole model, item by item";

function titleOf(
  study: Study,
  order: readonly { curve: Curve; point: CurvePoint }[],
  removal: number,
  units: string,
): string {
  const [best, second] = order;
  if (best === undefined) return "No removal was measured for every ranking";
  const gone = removedWords(study, removal, units);
  const measure = shownName(best.curve);
  const value = best.point.value ?? Number.NaN;
  if (second === undefined) {
    return `${capital(measure)} is ${valueText(best.curve, value)} without ${gone}`;
  }
  const told = compareSubnetworks(
    study.record,
    best.curve.evaluation,
    second.point.subnetworks,
    best.point.subnetworks,
  );
  const apart = told !== null && (told.low > 0 || told.high < 0);
  const same = second.point.subnetworks.join() === best.point.subnetworks.join();
  if (apart) return `Without ${gone}, ${best.curve.ranking} keeps the best ${measure}`;
  return same
    ? `Without ${gone}, ${best.curve.ranking} and ${second.curve.ranking} agree on what goes`
    : `Without ${gone}, ${best.curve.ranking} and ${second.curve.ranking} cannot be told apart`;
}

function seriesOf(study: Study, curve: Curve, name: string, family: string, emphasis: boolean): LineSeries {
  const points = curve.points.flatMap((point) => {
    const x = acrossOf(study, point);
    const { y, ...band } = drawn(curve, point);
    return x === null ? [] : [{ x, y, ...(emphasis ? band : {}) }];
  });
  // More removed is not always more time saved.
  points.sort((a, b) => a.x - b.x);
  return { name, family, ...(emphasis ? { emphasis } : {}), points };
}

/** The ranking that is best once it is repaired, drawn; and what every repair of every ranking wins back. */
export function repairFigures(study: Study, group: CurveGroup): Figure[] {
  const [best] = atLargest(group.repaired).order;
  const bare = group.bare.find(({ ranking }) => ranking === best?.curve.ranking);
  if (bare === undefined) return [];
  const own = group.repaired.filter(({ ranking }) => ranking === bare.ranking);
  return [repairLines(study, group, bare, own), repairTable(study, group, bare)];
}

function repairLines(study: Study, group: CurveGroup, bare: Curve, repaired: readonly Curve[]): LinesFigure {
  const { ranking, evaluation } = bare;
  const units = unitsOf(study, ranking);
  const { order, removal } = atLargest([bare, ...repaired]);
  const best = order[0]?.curve;
  const name = shownName(bare);
  const helps = best !== undefined && best.repair !== null;
  const axis = removalAxis(study, units, [bare]);
  return {
    kind: "lines",
    id: slug(study.prefix, "repair", group.model, group.calibration, evaluation, group.units),
    title: helps
      ? `${capital(best.repair ?? "")} wins back most without ${removedWords(study, removal, units)}`
      : "No repair helps at the largest removal",
    subtitle: `${capital(name)} on ${evaluation}${name === "perplexity" ? " (log scale)" : ""} by ${axis.name}, chosen by ${ranking}`,
    caption: [
      "The same units are gone on every line. Repairs are fitted to the calibration text, never to this one. ",
      ...untimed(study, [bare, ...repaired]),
    ],
    protocols: protocolsOf(study, group),
    description: `Line chart: ${name} against removed ${units}, without a repair and with each of ${repaired.length}.`,
    x: axis,
    y: valueAxis(bare),
    families: [
      { name: "not repaired", tone: "ink" },
      { name: "repaired", tone: "green" },
    ],
    series: [
      seriesOf(study, bare, "not repaired", "not repaired", false),
      ...repaired.map((curve) => seriesOf(study, curve, curve.repair ?? "", "repaired", curve === best)),
    ],
    whole: { x: 0, y: shown(bare, bare.whole), label: "whole model" },
    data: dataOf(study, [bare, ...repaired], ({ repair }) => repair ?? "not repaired"),
  };
}

/** What of the loss each repair wins back, by every ranking that has repairs. */
function repairTable(study: Study, group: CurveGroup, bare: Curve): TableFigure {
  const { evaluation } = group;
  const removals = bare.points.filter(({ removal }) => removal > 0);
  const won = (curve: Curve, removal: number): number | null => {
    const without = group.bare.find(({ ranking }) => ranking === curve.ranking);
    const lost = without?.points.find((point) => point.removal === removal)?.above ?? null;
    const left = curve.points.find((point) => point.removal === removal)?.above ?? null;
    return lost === null || left === null || lost === 0 ? null : 1 - left / lost;
  };
  return {
    kind: "table",
    id: slug(study.prefix, "won-back", group.model, group.calibration, evaluation, group.units),
    title: "What each repair wins back of what was lost",
    subtitle: `Share of what ${bare.measure} lies above the whole model's that is gone again, on ${evaluation}`,
    caption: "Below 0 a repair makes it worse. An empty cell was not asked for, or could not be made.",
    protocols: protocolsOf(study, group),
    description: `Table: for each of ${group.repaired.length} rankings with a repair the share of the loss that it wins back.`,
    columns: [
      { title: "ranking, repair" },
      ...removals.map((point) => ({
        title: removedWords(study, point.removal, group.units),
        format: { style: "percent", digits: 0 } as const,
        bar: { tone: "green", limit: 1 } as const,
      })),
    ],
    rows: group.repaired.map((curve) => [
      `${curve.ranking}, ${curve.repair}`,
      ...removals.map((point) => won(curve, point.removal)),
    ]),
  };
}

export function protocolsOf(study: Study, group: { evaluation: string; calibration: string }): string[] {
  const ids = [study.protocols.get(group.evaluation), study.calibrationProtocols.get(group.calibration)];
  return ids.filter((id) => id !== undefined);
}

const capital = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;

/** Sentences on what a group's curves show; those that its numbers do not bear are left out. */
export function curveFindings(
  study: Study,
  group: CurveGroup,
): { claim: string; text: string; figure: string }[] {
  const figure = removalFigure(study, group);
  if (figure === undefined) return [];
  const { units } = group;
  const { removal, order } = atLargest(group.bare);
  const [best] = order;
  const worst = order.at(-1);
  if (best === undefined || worst === undefined) return [];
  const said = (one: { curve: Curve; point: CurvePoint }) =>
    `${valueText(one.curve, one.point.value ?? Number.NaN)} by ${one.curve.ranking}`;
  const free = order.flatMap(({ curve }) =>
    curve.points.filter(
      ({ removal: gone, high }) =>
        gone > 0 && high !== null && curve.measure === "loss" && high < Math.log(1.1),
    ),
  );
  const most = Math.max(0, ...free.map(({ removal: gone }) => gone));
  const nearlyFree =
    item(order, 0).curve.measure !== "loss"
      ? ""
      : most === 0
        ? " No removal stays within 10% of the whole model's perplexity for certain."
        : ` Up to ${removedWords(study, most, units)} can go within 10% of the whole model's perplexity.`;
  return [
    {
      claim: `${figure.title}.`,
      text:
        `On ${group.evaluation}, ${shownName(best.curve)} of the whole model is ` +
        `${valueText(best.curve, best.curve.whole)}; without ${removedWords(study, removal, units)} it is ` +
        `${list(order.length > 3 ? [said(best), said(worst)] : order.map(said))}.${nearlyFree}`,
      figure: figure.id,
    },
  ];
}
