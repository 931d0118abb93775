/** The smallest parts of a report's data, and how they are checked. */
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
import type { Axis, DataRows, Family, FigureBase, NumberFormat, Quantity, Tick } from "../figures/types.ts";

export const aFinite: Check = { allowed: "a finite number", holds: (value) => Number.isFinite(value) };

export const orNull = ({ allowed, holds, faults }: Check): Check => ({
  allowed: `${allowed}, or null`,
  holds: (value) => value === null || holds(value),
  faults: (value, path) => (value === null ? [] : (faults?.(value, path) ?? [])),
});

export const aCell: Check = {
  allowed: "a string, a finite number or null",
  holds: (value) => value === null || typeof value === "string" || Number.isFinite(value),
};

/** What names a file and an anchor. */
export const aName: Check = {
  allowed: "small letters, digits and hyphens, such as removal-costs",
  holds: (value) => typeof value === "string" && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value),
};

export const aProtocolName: Check = {
  allowed: "letters and digits, such as P1",
  holds: (value) => typeof value === "string" && /^[A-Za-z0-9]+$/.test(value),
};

export const aTone = anyOf("ink", "blue", "orange", "green", "violet", "grey");

const aRange: Check = {
  allowed: "two finite numbers, the lower first",
  holds: (value) =>
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((one) => Number.isFinite(one)) &&
    value[0] < value[1],
};

const inlineShapes: Readonly<Record<string, Check>> = {
  strong: objectOf({ strong: required(aText) }),
  figure: objectOf({ figure: required(aText) }),
  section: objectOf({ section: required(aText), text: required(aText) }),
  protocol: objectOf({ protocol: required(aText) }),
};

const anInline: Check = {
  allowed: "a string, or an object with one of strong, figure, section, protocol",
  holds: (value) => typeof value === "string" || inlineShape(value) !== undefined,
  faults: (value, path) => {
    const shape = inlineShape(value);
    return shape === undefined ? [] : faultsOf(value, shape, path);
  },
};

const inlineShape = (value: unknown): Check | undefined => {
  const key = isObject(value) ? Object.keys(inlineShapes).find((name) => name in value) : undefined;
  return key === undefined ? undefined : inlineShapes[key];
};

export const someProse: Check = {
  allowed: "a string, or a list of strings and of links",
  holds: (value) => typeof value === "string" || Array.isArray(value),
  faults: (value, path) => (typeof value === "string" ? [] : faultsOf(value, listOf(anInline), path)),
};

export const aFormat = objectOf({
  style: anyOf("plain", "percent", "times"),
  digits: aWhole(0, 12),
  sign: aFlag,
} satisfies Checks<NumberFormat>);

const quantity = { name: required(aText), unit: aText, format: aFormat } satisfies Checks<Quantity>;

export const aQuantity = objectOf(quantity);

const aTick: Check = {
  allowed: "a finite number, or an object of at, text, below",
  holds: (value) => Number.isFinite(value) || isObject(value),
  faults: (value, path) =>
    typeof value === "number"
      ? []
      : faultsOf(
          value,
          objectOf({ at: required(aFinite), text: aString, below: aString } satisfies Checks<Tick>),
          path,
        ),
};

export const anAxis = objectOf({
  ...quantity,
  scale: anyOf("linear", "log"),
  domain: aRange,
  ticks: listOf(aTick),
} satisfies Checks<Axis>);

export const aFamily = objectOf({ name: required(aText), tone: required(aTone) } satisfies Checks<Family>);

const someRows = objectOf({
  columns: required(listOf(aString, 1)),
  rows: required(listOf(listOf(aCell))),
} satisfies Checks<DataRows>);

/** What every figure has. */
export const figureBase = {
  id: required(aName),
  title: required(aText),
  subtitle: required(aText),
  caption: required(someProse),
  protocols: required(listOf(aText)),
  protocolNote: aText,
  description: required(aText),
  data: someRows,
} satisfies Checks<FigureBase>;
