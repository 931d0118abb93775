/** The fields of each kind of figure. */
import {
  aFlag,
  anyOf,
  aString,
  aText,
  aWhole,
  type Check,
  type Checks,
  faultsOf,
  isObject,
  listOf,
  objectOf,
  required,
} from "../../options.ts";
import type {
  BarsPanel,
  DepthBar,
  Figure,
  IntervalGroup,
  IntervalsFigure,
  IntervalsPanel,
  LinePoint,
  LineSeries,
  LinesFigure,
  LinesPanel,
  LowestChances,
  MapAxis,
  MapFigure,
  OneHue,
  PanelsFigure,
  Player,
  ReferencePoint,
  ReferenceStrip,
  ScatterFigure,
  ScatterPanel,
  ScatterPoint,
  TableColumn,
  TableFigure,
  TextsFigure,
  TwoHues,
  WrittenText,
} from "../figures/types.ts";
import { aCell, aFamily, aFinite, aFormat, anAxis, aQuantity, aTone, figureBase, orNull } from "./values.ts";

/** One of several forms, told apart by its `kind`. */
function byKind(shapes: Readonly<Record<string, Check>>): Check {
  const kinds = Object.keys(shapes);
  const shapeOf = (value: unknown) => (isObject(value) ? shapes[String(value["kind"])] : undefined);
  return {
    allowed: `an object whose kind is one of ${kinds.join(", ")}`,
    holds: (value) => shapeOf(value) !== undefined,
    faults: (value, path) => faultsOf(value, shapeOf(value) ?? objectOf({}), path),
  };
}

const kindOf = (kind: string) => required(anyOf(kind));

const aChance: Check = {
  allowed: "a number from 0 to 1",
  holds: (value) => typeof value === "number" && value >= 0 && value <= 1,
};

const aSeries = objectOf({
  name: required(aText),
  short: aText,
  family: required(aText),
  emphasis: aFlag,
  dash: anyOf("solid", "dashed", "dotted", "dash-dot"),
  points: required(
    listOf(
      objectOf({
        x: required(aFinite),
        y: required(orNull(aFinite)),
        low: aFinite,
        high: aFinite,
        marked: aFlag,
      } satisfies Checks<LinePoint>),
    ),
  ),
} satisfies Checks<LineSeries>);

const aReference = objectOf({
  low: required(aFinite),
  high: required(aFinite),
  label: required(aText),
  short: aText,
} satisfies Checks<ReferenceStrip>);

const lines = objectOf({
  ...figureBase,
  kind: kindOf("lines"),
  x: required(anAxis),
  y: required(anAxis),
  families: required(listOf(aFamily)),
  series: required(listOf(aSeries)),
  reference: aReference,
  whole: objectOf({
    x: required(aFinite),
    y: required(aFinite),
    label: required(aText),
  } satisfies Checks<ReferencePoint>),
  band: aText,
} satisfies Checks<LinesFigure>);

const aPlayer = objectOf({
  name: required(aText),
  value: required(orNull(aFinite)),
  low: aFinite,
  high: aFinite,
  exact: aFinite,
} satisfies Checks<Player>);

const aPanel = byKind({
  lines: objectOf({
    kind: kindOf("lines"),
    title: required(aText),
    x: required(anAxis),
    y: required(anAxis),
    series: required(listOf(aSeries)),
    reference: aReference,
    labels: aFlag,
  } satisfies Checks<LinesPanel>),
  bars: objectOf({
    kind: kindOf("bars"),
    title: required(aText),
    x: required(anAxis),
    y: required(anAxis),
    bars: required(
      listOf(
        objectOf({
          x: required(aWhole(0)),
          y: required(orNull(aFinite)),
          family: required(aText),
          low: aFinite,
          high: aFinite,
          marked: aFlag,
        } satisfies Checks<DepthBar>),
      ),
    ),
  } satisfies Checks<BarsPanel>),
  intervals: objectOf({
    kind: kindOf("intervals"),
    title: required(aText),
    value: required(anAxis),
    players: required(listOf(aPlayer)),
    tone: required(aTone),
  } satisfies Checks<IntervalsPanel>),
});

const panels = objectOf({
  ...figureBase,
  kind: kindOf("panels"),
  columns: required(anyOf(2, 3)),
  families: required(listOf(aFamily)),
  panels: required(listOf(aPanel, 1)),
  marked: aText,
  band: aText,
} satisfies Checks<PanelsFigure>);

const aMapAxis = objectOf({
  name: required(aText),
  entries: required(listOf(aText, 1)),
} satisfies Checks<MapAxis>);
const aHue = required(objectOf({ tone: required(aTone), label: required(aText) }));

const map = objectOf({
  ...figureBase,
  kind: kindOf("map"),
  x: required(aMapAxis),
  y: required(aMapAxis),
  value: required(aQuantity),
  cells: required(listOf(listOf(orNull(aFinite)))),
  shading: required(
    byKind({
      one: objectOf({
        kind: kindOf("one"),
        tone: required(aTone),
        weakest: required(aFinite),
        strongest: required(aFinite),
        scale: anyOf("linear", "log"),
      } satisfies Checks<OneHue>),
      signed: objectOf({
        kind: kindOf("signed"),
        positive: aHue,
        negative: aHue,
        limit: required(aFinite),
      } satisfies Checks<TwoHues>),
    }),
  ),
  marked: objectOf({ cells: required(listOf(listOf(aWhole(0)))), label: required(aText) }),
} satisfies Checks<MapFigure>);

const intervals = objectOf({
  ...figureBase,
  kind: kindOf("intervals"),
  groups: required(
    listOf(
      objectOf({
        title: required(aText),
        tone: required(aTone),
        value: required(anAxis),
        players: required(listOf(aPlayer)),
        lowest: objectOf({
          k: required(listOf(aWhole(1))),
          players: required(
            listOf(objectOf({ name: required(aText), chances: required(listOf(orNull(aChance))) })),
          ),
          together: listOf(orNull(aChance)),
        } satisfies Checks<LowestChances>),
      } satisfies Checks<IntervalGroup>),
      1,
    ),
  ),
} satisfies Checks<IntervalsFigure>);

const aWay = required(anyOf("lower", "higher"));

const scatter = objectOf({
  ...figureBase,
  kind: kindOf("scatter"),
  families: required(listOf(aFamily)),
  whiskers: aText,
  panels: required(
    listOf(
      objectOf({
        title: required(aText),
        x: required(anAxis),
        y: required(anAxis),
        better: required(objectOf({ x: aWay, y: aWay })),
        points: required(
          listOf(
            objectOf({
              name: required(aText),
              label: aText,
              family: required(aText),
              x: required(orNull(aFinite)),
              y: required(orNull(aFinite)),
              xLow: aFinite,
              xHigh: aFinite,
              yLow: aFinite,
              yHigh: aFinite,
            } satisfies Checks<ScatterPoint>),
          ),
        ),
      } satisfies Checks<ScatterPanel>),
      1,
    ),
  ),
} satisfies Checks<ScatterFigure>);

const table = objectOf({
  ...figureBase,
  kind: kindOf("table"),
  columns: required(
    listOf(
      objectOf({
        title: required(aText),
        detail: aString,
        format: aFormat,
        bar: objectOf({ tone: required(aTone), limit: aFinite }),
      } satisfies Checks<TableColumn>),
      1,
    ),
  ),
  rows: required(listOf(listOf(aCell))),
} satisfies Checks<TableFigure>);

const texts = objectOf({
  ...figureBase,
  kind: kindOf("texts"),
  prompts: required(
    listOf(
      objectOf({
        prompt: required(aString),
        answers: required(
          listOf(
            objectOf({
              name: required(aText),
              detail: aString,
              text: required(aString),
              tone: aTone,
            } satisfies Checks<WrittenText>),
          ),
        ),
      }),
    ),
  ),
} satisfies Checks<TextsFigure>);

export const aFigure = byKind({ lines, panels, map, intervals, scatter, table, texts } satisfies Record<
  Figure["kind"],
  Check
>);
