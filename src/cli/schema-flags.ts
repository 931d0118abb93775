import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { realNumber, wholeNumber } from "./values.ts";

/** How a flag differs from what its option's schema says of it. */
export interface FlagStyle {
  /** In place of the option's own name: `save-dtype`. */
  name?: string;
  /** In place of the schema's words, its default included. */
  help?: string;
  /** Texts in which `\n` and `\t` stand for a line break and a tab, as a shell cannot write them well. */
  escaped?: boolean;
  /** A list in one word, with commas: `1,8`. */
  commas?: boolean;
}

/** What JSON Schema says of one option. */
export interface Property {
  type?: string;
  enum?: readonly string[];
  const?: unknown;
  items?: Property;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  default?: unknown;
  description?: string;
  anyOf?: readonly Property[];
}

type Styles<S extends z.ZodObject> = { [K in keyof S["shape"]]?: FlagStyle | false };

/**
 * Adds a flag for every option of a schema, with its choices, limits, default and words: what the contract
 * says of an option is said once. `styles` changes a flag or, with false, leaves it out. A flag that is not
 * given is absent, and the option has the schema's default.
 */
export function addSchemaFlags<S extends z.ZodObject>(
  command: Command,
  schema: S,
  styles: Styles<S> = {},
): Command {
  for (const [key, property] of propertiesOf(schema)) {
    const style = styles[key as keyof S["shape"]];
    if (style === false || property.const !== undefined) continue;
    const flag = toFlag(key, property, style ?? {});
    command.addOption(flag);
    // commander says true of a --no- flag that is not given.
    if (flag.negate) command.setOptionValue(flag.attributeName(), undefined);
  }
  return command;
}

/** The options of a schema among a command's flags; those not given are undefined. */
export function schemaOptions<S extends z.ZodObject>(
  schema: S,
  flags: object,
  styles: Styles<S> = {},
): Partial<z.input<S>> {
  const given = flags as Readonly<Record<string, unknown>>;
  const options = propertiesOf(schema).flatMap(([key, property]) => {
    const style = styles[key as keyof S["shape"]];
    if (style === false) return [];
    const value = given[camel(style?.name ?? key)];
    if (value === undefined) return [];
    return [[key, value === NONE && canBeNone(property) ? null : value]];
  });
  // A flag's parser gives what its schema takes; the call checks it again.
  return Object.fromEntries(options) as Partial<z.input<S>>;
}

/** The flag's name of each option, to speak of it in messages. */
export function flagNames<S extends z.ZodObject>(schema: S, styles: Styles<S> = {}): Map<string, string> {
  return new Map(
    propertiesOf(schema).flatMap(([key, property]) => {
      const style = styles[key as keyof S["shape"]];
      return style === false ? [] : [[key, flagOf(style?.name ?? key, property)]];
    }),
  );
}

export function propertiesOf(schema: z.ZodObject): [string, Property][] {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return Object.entries((json.properties ?? {}) as Record<string, Property>);
}

/** A boolean that is on by default has a flag to switch it off. */
function flagOf(name: string, property: Property): string {
  const off = withoutNull(property).type === "boolean" && property.default === true;
  return `--${off ? "no-" : ""}${kebab(name)}`;
}

function toFlag(key: string, property: Property, style: FlagStyle): Option {
  const name = kebab(style.name ?? key);
  const kind = withoutNull(property);
  const help = style.help ?? wordsOf(property, style);
  if (kind.type === "boolean") return new Option(flagOf(style.name ?? key, property), help);
  if (kind.type === "array" && style.commas !== true) {
    return new Option(`--${name} <${placeholder(kind.items ?? {})}...>`, help).argParser(
      (text: string, before: unknown[] | undefined) => [
        ...(before ?? []),
        parserOf(kind.items ?? {}, style)(text),
      ],
    );
  }
  if (kind.type === "array") {
    const parse = parserOf(kind.items ?? {}, style);
    return new Option(`--${name} <list>`, help).argParser((text) => text.split(",").map(parse));
  }
  const option = new Option(`--${name} <${placeholder(kind)}>`, help);
  if (kind.enum !== undefined) return option.choices(kind.enum);
  const parse = parserOf(kind, style);
  // Words stay words here: commander takes a null for a flag without a value.
  const words = [...wordsInPlace(property), ...(canBeNone(property) ? [NONE] : [])];
  return option.argParser((text) => (words.includes(text) ? text : parse(text)));
}

/** All that a property may be, unions in unions told apart. */
const partsOf = (property: Property): readonly Property[] => property.anyOf?.flatMap(partsOf) ?? [property];

/** Words that an option takes in a number's place. */
const wordsInPlace = (property: Property): readonly string[] => {
  const parts = partsOf(property).filter(({ type }) => type !== "null");
  return parts.length < 2 ? [] : parts.flatMap(({ enum: words }) => words ?? []);
};

/** How null is written where leaving the flag out means something else. */
const NONE = "none";

const canBeNone = (property: Property): boolean =>
  partsOf(property).some(({ type }) => type === "null") && property.default !== null;

/** What a schema says of an option, as a phrase of a command's help. */
export function wordsOf(property: Property, style: FlagStyle = {}): string {
  const words = property.description ?? withoutNull(property).description ?? "";
  const phrase = words
    .replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase())
    .replace(/\.$/, "")
    .replace(/\bnull: /g, canBeNone(property) ? `${NONE}: ` : "left out: ");
  return [phrase, defaultWords(property, style)].filter((part) => part !== "").join(" ");
}

function withoutNull(property: Property): Property {
  return partsOf(property).find(({ type }) => type !== "null") ?? property;
}

function placeholder({ type, enum: choices }: Property): string {
  if (choices !== undefined) return "name";
  return type === "integer" || type === "number" ? "n" : "text";
}

function parserOf(property: Property, { escaped = false }: FlagStyle): (text: string) => unknown {
  const { type, enum: choices, minimum = 0, exclusiveMinimum, maximum = Number.MAX_VALUE } = property;
  if (type === "integer") return wholeNumber(minimum, Math.min(maximum, Number.MAX_SAFE_INTEGER));
  if (type === "number") return realNumber(exclusiveMinimum ?? minimum, maximum);
  if (choices !== undefined) {
    return (text) => {
      if (choices.includes(text)) return text;
      throw new InvalidArgumentError(`"${text}" is none of ${choices.join(", ")}.`);
    };
  }
  return escaped ? readEscapes : (text) => text;
}

function defaultWords({ default: value }: Property, { escaped = false }: FlagStyle): string {
  const empty = value === "" || (Array.isArray(value) && value.length === 0);
  if (value === undefined || value === null || typeof value === "boolean" || empty) return "";
  if (typeof value === "object" && !Array.isArray(value)) return "";
  const text = Array.isArray(value) ? value.join(", ") : String(value);
  return `(default: ${escaped ? JSON.stringify(text) : text})`;
}

/** A flag's text with `\\n` and `\\t` as the line break and the tab they stand for. */
export function readEscapes(flag: string): string {
  return flag.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
