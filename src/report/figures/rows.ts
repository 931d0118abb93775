/** Every number that a figure draws, as rows: what its table and its CSV hold. */
import type {
  DataRows,
  Figure,
  IntervalsPanel,
  LineSeries,
  MapFigure,
  Panel,
  Player,
  Quantity,
  ScatterFigure,
  TableFigure,
} from "./types.ts";

type Cell = string | number | null;

export function rowsOf(figure: Figure): DataRows {
  return figure.data ?? drawnRows(figure);
}

function drawnRows(figure: Figure): DataRows {
  switch (figure.kind) {
    case "lines":
      return dropEmpty({
        columns: ["series", heading(figure.x), heading(figure.y), "low", "high"],
        rows: pointRows(figure.series),
      });
    case "panels":
      return dropEmpty({
        columns: ["panel", "series", "at", "value", "low", "high", "exact"],
        rows: figure.panels.flatMap((panel) => panelRows(panel).map((row) => [panel.title, ...row])),
      });
    case "map":
      return {
        columns: [`${figure.y.name} by ${figure.x.name}`, ...figure.x.entries],
        rows: mapRows(figure),
      };
    case "intervals":
      return intervalRows(figure.groups);
    case "scatter":
      return scatterRows(figure);
    case "table":
      return tableRows(figure);
    case "texts":
      return {
        columns: ["prompt", "written by", "detail", "text"],
        rows: figure.prompts.flatMap(({ prompt, answers }) =>
          answers.map(({ name, detail, text }) => [prompt, name, detail || null, text]),
        ),
      };
  }
}

const heading = ({ name, unit }: Quantity) => (unit === undefined ? name : `${name}, ${unit}`);

const pointRows = (series: readonly LineSeries[]): Cell[][] =>
  series.flatMap(({ name, points }) =>
    points.map(({ x, y, low, high }) => [name, x, y, low ?? null, high ?? null]),
  );

function panelRows(panel: Panel): Cell[][] {
  switch (panel.kind) {
    case "lines":
      return pointRows(panel.series).map((row) => [...row, null]);
    case "bars":
      return panel.bars.map(({ family, x, y, low, high }) => [family, x, y, low ?? null, high ?? null, null]);
    case "intervals":
      return panel.players.map((player) => [player.name, null, ...playerCells(player)]);
  }
}

const playerCells = ({ value, low, high, exact }: Player): Cell[] => [
  value,
  low ?? null,
  high ?? null,
  exact ?? null,
];

const mapRows = ({ y, cells }: MapFigure): Cell[][] =>
  y.entries.map((entry, index) => [entry, ...(cells[index] ?? [])]);

function intervalRows(groups: readonly (Omit<IntervalsPanel, "kind"> & { lowest?: Lowest })[]): DataRows {
  const ks = [...new Set(groups.flatMap(({ lowest }) => lowest?.k ?? []))].sort((a, b) => a - b);
  const columns = [
    "group",
    "player",
    "value",
    "low",
    "high",
    "exact",
    ...ks.map((k) => `chance of the lowest ${k}`),
  ];
  const rows = groups.flatMap(({ title, players, lowest }) => [
    ...players.map((player) => {
      const chances = lowest?.players.find(({ name }) => name === player.name)?.chances;
      return [title, player.name, ...playerCells(player), ...ks.map((k) => chanceAt(lowest, chances, k))];
    }),
    ...(lowest?.together === undefined
      ? []
      : [
          [
            title,
            "the whole set",
            null,
            null,
            null,
            null,
            ...ks.map((k) => chanceAt(lowest, lowest.together, k)),
          ],
        ]),
  ]);
  return dropEmpty({ columns, rows });
}

interface Lowest {
  readonly k: readonly number[];
  readonly players: readonly { name: string; chances: readonly (number | null)[] }[];
  readonly together?: readonly (number | null)[];
}

function chanceAt(
  lowest: Lowest | undefined,
  chances: readonly (number | null)[] | undefined,
  k: number,
): Cell {
  const index = lowest?.k.indexOf(k) ?? -1;
  return index < 0 ? null : (chances?.[index] ?? null);
}

function scatterRows({ panels }: ScatterFigure): DataRows {
  return dropEmpty({
    columns: ["panel", "point", "family", "cost", "low", "high", "quality", "quality low", "quality high"],
    rows: panels.flatMap(({ title, points }) =>
      points.map(({ name, family, x, y, xLow, xHigh, yLow, yHigh }) => [
        title,
        name,
        family,
        x,
        xLow ?? null,
        xHigh ?? null,
        y,
        yLow ?? null,
        yHigh ?? null,
      ]),
    ),
  });
}

const tableRows = ({ columns, rows }: TableFigure): DataRows => ({
  columns: columns.map(({ title, detail }) => (!detail ? title : `${title} (${detail})`)),
  rows,
});

/** Columns without one value say nothing: a figure without intervals needs none for them. */
function dropEmpty({ columns, rows }: DataRows): DataRows {
  const kept = columns.map((_, index) => rows.length === 0 || rows.some((row) => row[index] !== null));
  const only = <T>(cells: readonly T[]) => cells.filter((_, index) => kept[index]);
  return { columns: only(columns), rows: rows.map(only) };
}

/** Lines as RFC 4180 has them. Numbers in full, with a point. */
export function csvOf({ columns, rows }: DataRows): string {
  const cell = (value: Cell) => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}
