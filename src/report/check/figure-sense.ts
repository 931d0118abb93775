/** What no shape can say of a figure: that its parts fit each other, and its numbers their axes. */
import { type Fault, join } from "../../options.ts";
import type {
  Axis,
  Family,
  Figure,
  IntervalGroup,
  LineSeries,
  MapFigure,
  Panel,
  Player,
  ScatterPanel,
} from "../figures/types.ts";

export function figureFaults(figure: Figure, path: string): Fault[] {
  const data =
    figure.data === undefined
      ? []
      : rowFaults(figure.data.columns.length, figure.data.rows, join(path, "data.rows"));
  return [...data, ...kindFaults(figure, path)];
}

function kindFaults(figure: Figure, path: string): Fault[] {
  switch (figure.kind) {
    case "lines":
      return [
        ...seriesFaults(figure.series, figure.families, join(path, "series")),
        ...axisFaults(figure.x, xOf(figure.series), join(path, "x")),
        ...axisFaults(withoutDomain(figure.y), yOf(figure.series), join(path, "y")),
        ...axisFaults(figure.y, referenceOf(figure), join(path, "y")),
        ...(figure.reference === undefined ? [] : spreadFaults(figure.reference, join(path, "reference"))),
      ];
    case "panels":
      return figure.panels.flatMap((panel, index) =>
        panelFaults(panel, figure.families, join(path, `panels.${index}`)),
      );
    case "map":
      return mapFaults(figure, path);
    case "intervals":
      return figure.groups.flatMap((group, index) => groupFaults(group, join(path, `groups.${index}`)));
    case "scatter":
      return figure.panels.flatMap((panel, index) =>
        scatterFaults(panel, figure.families, join(path, `panels.${index}`)),
      );
    case "table":
      return rowFaults(figure.columns.length, figure.rows, join(path, "rows"));
    case "texts":
      return [];
  }
}

const fault = (path: string, words: string): Fault[] => [{ path, words }];

interface Spread {
  readonly low?: number;
  readonly high?: number;
}

function spreadFaults({ low, high }: Spread, path: string): Fault[] {
  if ((low === undefined) !== (high === undefined))
    return fault(path, "low and high go together; one is missing.");
  if (low === undefined || high === undefined || low <= high) return [];
  return fault(path, `low (${low}) is above high (${high}).`);
}

function familyFaults(family: string, families: readonly Family[], path: string): Fault[] {
  if (families.some(({ name }) => name === family)) return [];
  const known = families.map(({ name }) => `"${name}"`).join(", ");
  return fault(path, `there is no family "${family}"; the figure has ${known || "none"}.`);
}

function seriesFaults(series: readonly LineSeries[], families: readonly Family[], path: string): Fault[] {
  return series.flatMap(({ family, points }, index) => {
    const here = join(path, index);
    const order = points.findIndex((point, place) => place > 0 && point.x <= (points[place - 1]?.x ?? 0));
    return [
      ...familyFaults(family, families, join(here, "family")),
      ...(order < 0
        ? []
        : fault(join(here, `points.${order}.x`), "it is not above the x before it; order points by x.")),
      ...points.flatMap((point, place) => spreadFaults(point, join(here, `points.${place}`))),
    ];
  });
}

const xOf = (series: readonly LineSeries[]) => series.flatMap(({ points }) => points.map(({ x }) => x));
const yOf = (series: readonly LineSeries[]) => series.flatMap(({ points }) => points.flatMap(valuesOf));
const valuesOf = ({ y, low, high }: { y: number | null } & Spread) =>
  [y, low, high].flatMap((value) => value ?? []);

const referenceOf = ({
  reference,
  whole,
}: {
  reference?: { low: number; high: number };
  whole?: { y: number };
}) => [
  ...(reference === undefined ? [] : [reference.low, reference.high]),
  ...(whole === undefined ? [] : [whole.y]),
];

/** A log axis has no place for what is not above 0, and none for what lies beyond its own ends. */
function axisFaults({ scale, domain, ticks = [] }: Axis, values: readonly number[], path: string): Fault[] {
  const places = ticks.map((tick) => (typeof tick === "number" ? tick : tick.at));
  const low =
    scale === "log" ? [...values, ...(domain ?? []), ...places].find((value) => value <= 0) : undefined;
  if (low !== undefined) return fault(path, `its scale is log, so its numbers must be above 0; got ${low}.`);
  const [first, last] = domain ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const beyond = values.find((value) => value < first || value > last);
  return beyond === undefined
    ? []
    : fault(join(path, "domain"), `${beyond} lies outside of it; it must hold every number.`);
}

const withoutDomain = ({ domain: _, ...rest }: Axis): Axis => rest;

function panelFaults(panel: Panel, families: readonly Family[], path: string): Fault[] {
  switch (panel.kind) {
    case "lines":
      return [
        ...seriesFaults(panel.series, families, join(path, "series")),
        ...axisFaults(panel.x, xOf(panel.series), join(path, "x")),
        ...axisFaults(withoutDomain(panel.y), yOf(panel.series), join(path, "y")),
        ...axisFaults(panel.y, referenceOf(panel), join(path, "y")),
        ...(panel.reference === undefined ? [] : spreadFaults(panel.reference, join(path, "reference"))),
      ];
    case "bars":
      return [
        ...axisFaults(
          panel.x,
          panel.bars.map(({ x }) => x),
          join(path, "x"),
        ),
        // What lies beyond the domain is cut; a log axis has no place for 0 all the same.
        ...axisFaults(withoutDomain(panel.y), panel.bars.flatMap(valuesOf), join(path, "y")),
        ...panel.bars.flatMap((bar, index) => [
          ...familyFaults(bar.family, families, join(path, `bars.${index}.family`)),
          ...spreadFaults(bar, join(path, `bars.${index}`)),
        ]),
      ];
    case "intervals":
      return playerFaults(panel.players, panel.value, path);
  }
}

function playerFaults(players: readonly Player[], axis: Axis, path: string): Fault[] {
  const values = players.flatMap(({ value, low, high, exact }) =>
    [value, low, high, exact].flatMap((one) => one ?? []),
  );
  return [
    ...axisFaults(axis, values, join(path, "value")),
    ...players.flatMap((player, index) => spreadFaults(player, join(path, `players.${index}`))),
  ];
}

function groupFaults({ players, value, lowest }: IntervalGroup, path: string): Fault[] {
  const found = playerFaults(players, value, path);
  if (lowest === undefined) return found;
  const here = join(path, "lowest");
  const names = players.map(({ name }) => name);
  return [
    ...found,
    ...lowest.players.flatMap(({ name, chances }, index) => [
      ...(names.includes(name)
        ? []
        : fault(join(here, `players.${index}.name`), `the group has no player "${name}".`)),
      ...lengthFaults(
        chances,
        lowest.k.length,
        "chances, one for each k",
        join(here, `players.${index}.chances`),
      ),
    ]),
    ...lengthFaults(
      lowest.together ?? lowest.k,
      lowest.k.length,
      "chances, one for each k",
      join(here, "together"),
    ),
  ];
}

function lengthFaults(list: readonly unknown[], length: number, what: string, path: string): Fault[] {
  return list.length === length ? [] : fault(path, `expected ${length} ${what}; got ${list.length}.`);
}

const rowFaults = (columns: number, rows: readonly (readonly unknown[])[], path: string) =>
  rows.flatMap((row, index) => lengthFaults(row, columns, "cells, one for each column", join(path, index)));

function mapFaults({ x, y, cells, shading, marked }: MapFigure, path: string): Fault[] {
  const here = join(path, "shading");
  const ends = shading.kind === "one" ? [shading.weakest, shading.strongest] : [];
  const isLog = shading.kind === "one" && shading.scale === "log";
  const outside = (marked?.cells ?? []).findIndex(
    ([row = -1, column = -1, ...more]: readonly number[]) =>
      more.length > 0 || row < 0 || row >= y.entries.length || column < 0 || column >= x.entries.length,
  );
  const low = [...ends, ...cells.flat()].find((value) => value !== null && value <= 0);
  return [
    ...lengthFaults(cells, y.entries.length, "rows, one for each entry of y", join(path, "cells")),
    ...cells.flatMap((row, index) =>
      lengthFaults(row, x.entries.length, "cells, one for each entry of x", join(path, `cells.${index}`)),
    ),
    ...(ends[0] !== undefined && ends[0] === ends[1]
      ? fault(here, "weakest and strongest are equal; they must differ.")
      : []),
    ...(isLog && low !== undefined
      ? fault(here, `its scale is log, so its numbers must be above 0; got ${low}.`)
      : []),
    ...(shading.kind === "signed" && shading.limit <= 0
      ? fault(join(here, "limit"), "expected a number above 0.")
      : []),
    ...(outside < 0
      ? []
      : fault(join(path, `marked.cells.${outside}`), "expected the row and the column of a cell.")),
  ];
}

function scatterFaults({ x, y, points }: ScatterPanel, families: readonly Family[], path: string): Fault[] {
  const along = (name: "x" | "y") =>
    points.flatMap((point) =>
      [point[name], point[`${name}Low`], point[`${name}High`]].flatMap((value) => value ?? []),
    );
  return [
    ...axisFaults(x, along("x"), join(path, "x")),
    ...axisFaults(withoutDomain(y), along("y"), join(path, "y")),
    ...points.flatMap(({ family, xLow, xHigh, yLow, yHigh }, index) => {
      const here = join(path, `points.${index}`);
      return [
        ...familyFaults(family, families, join(here, "family")),
        ...spreadFaults(spread(xLow, xHigh), here),
        ...spreadFaults(spread(yLow, yHigh), here),
      ];
    }),
  ];
}

const spread = (low: number | undefined, high: number | undefined): Spread => ({
  ...(low === undefined ? {} : { low }),
  ...(high === undefined ? {} : { high }),
});
