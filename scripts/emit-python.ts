/**
 * Turns the contract's JSON Schema into msgspec Structs. It knows the few keywords the contract uses
 * and throws on any other, so that nothing zod checks is silently not checked in Python.
 */
export type JsonSchema = { [key: string]: unknown };

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const quoted = (text: string) => JSON.stringify(text);
const refName = (ref: unknown) => String(ref).replace("#/$defs/", "");
const annotations = new Set(["description", "title", "readOnly"]);

function expectOnly(schema: JsonSchema, known: string[], where: string): void {
  const unknown = Object.keys(schema).filter((key) => !known.includes(key) && !annotations.has(key));
  if (unknown.length > 0) throw new Error(`${where}: no rule for ${unknown.join(", ")}.`);
}

function annotated(type: string, limits: Record<string, unknown>): string {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  if (given.length === 0) return type;
  // A JSON string is a Python string too.
  const text = given.map(([key, value]) => `${key}=${typeof value === "string" ? quoted(value) : value}`);
  return `Annotated[${type}, Meta(${text.join(", ")})]`;
}

function typeOf(schema: JsonSchema, where: string): string {
  if ("$ref" in schema) {
    expectOnly(schema, ["$ref"], where);
    return refName(schema["$ref"]);
  }
  if (Array.isArray(schema["type"])) {
    return schema["type"]
      .map((type: unknown) => typeOf(type === "null" ? { type } : { ...schema, type }, where))
      .join(" | ");
  }
  if ("anyOf" in schema) {
    expectOnly(schema, ["anyOf"], where);
    return (schema["anyOf"] as JsonSchema[]).map((part) => typeOf(part, where)).join(" | ");
  }
  if ("oneOf" in schema) {
    expectOnly(schema, ["oneOf"], where);
    return (schema["oneOf"] as JsonSchema[]).map((part) => typeOf(part, where)).join(" | ");
  }
  if ("enum" in schema) {
    expectOnly(schema, ["type", "enum"], where);
    return `Literal[${(schema["enum"] as string[]).map(quoted).join(", ")}]`;
  }
  switch (schema["type"]) {
    case "null":
      return "None";
    case "boolean":
      expectOnly(schema, ["type"], where);
      return "bool";
    case "string":
      expectOnly(schema, ["type", "minLength", "maxLength", "pattern"], where);
      return annotated("str", {
        min_length: schema["minLength"],
        max_length: schema["maxLength"],
        pattern: schema["pattern"],
      });
    case "integer":
    case "number":
      expectOnly(schema, ["type", "minimum", "exclusiveMinimum", "maximum"], where);
      return annotated(schema["type"] === "integer" ? "int" : "float", {
        ge: schema["minimum"],
        gt: schema["exclusiveMinimum"],
        le: schema["maximum"],
      });
    case "array":
      expectOnly(schema, ["type", "items", "minItems", "maxItems"], where);
      return annotated(`tuple[${typeOf(schema["items"] as JsonSchema, where)}, ...]`, {
        min_length: schema["minItems"],
        max_length: schema["maxItems"],
      });
    default:
      throw new Error(`${where}: ${JSON.stringify(schema)} has no rule; give an inline object a name.`);
  }
}

type Definitions = Readonly<Record<string, JsonSchema>>;

const propertiesOf = (schema: JsonSchema | undefined) =>
  Object.entries((schema?.["properties"] ?? {}) as Record<string, JsonSchema>);

/** A JSON value as a Python expression of the type that its schema says. */
function literalOf(value: unknown, schema: JsonSchema, definitions: Definitions): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return schema["type"] === "number" ? float(value) : String(value);
  if (Array.isArray(value)) {
    const items = schema["items"] as JsonSchema;
    // A comma behind each, as a tuple of one needs it.
    return `(${value.map((item) => `${literalOf(item, items, definitions)},`).join(" ")})`;
  }
  if (!("$ref" in schema)) throw new Error(`No rule for the default ${JSON.stringify(value)}.`);
  const name = refName(schema["$ref"]);
  // What is a field's default anyway is not said again.
  const given = propertiesOf(definitions[name]).flatMap(([key, property]) => {
    const text = (field: unknown) => literalOf(field, withoutNull(property), definitions);
    const own = text((value as Record<string, unknown>)[key]);
    return "default" in property && text(property["default"]) === own ? [] : [`${snake(key)}=${own}`];
  });
  return `${name}(${given.join(", ")})`;
}

const float = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

function withoutNull(schema: JsonSchema): JsonSchema {
  const options = schema["anyOf"] as JsonSchema[] | undefined;
  return options?.find((option) => option["type"] !== "null") ?? schema;
}

function defaultOf(property: JsonSchema, definitions: Definitions): string {
  if (!("default" in property)) return "";
  const value = literalOf(property["default"], withoutNull(property), definitions);
  // A Struct is made when it is needed: its class may come further down.
  const isStruct = /^[A-Z]\w*\(/.test(value);
  return isStruct ? ` = field(default_factory=lambda: ${value})` : ` = ${value}`;
}

function structOf(name: string, schema: JsonSchema, definitions: Definitions): string {
  expectOnly(schema, ["type", "properties", "required", "additionalProperties", "x-base"], name);
  if (schema["additionalProperties"] !== false) throw new Error(`${name}: must refuse unknown keys.`);
  const base = "x-base" in schema ? refName(schema["x-base"]) : undefined;
  const inherited = new Set(
    propertiesOf(base === undefined ? undefined : definitions[base]).map(([key]) => key),
  );
  const properties = propertiesOf(schema).filter(([key]) => !inherited.has(key));
  const required = (schema["required"] ?? []) as string[];
  const tag = properties.find(([, property]) => "const" in property);
  const options = [
    "frozen=True",
    "kw_only=True",
    "forbid_unknown_fields=True",
    'rename="camel"',
    ...(tag === undefined ? [] : [`tag_field=${quoted(tag[0])}`, `tag=${quoted(String(tag[1]["const"]))}`]),
  ];
  const lines = [`class ${name}(${base ?? "Struct"}, ${options.join(", ")}):`];
  if (typeof schema["description"] === "string") lines.push(`    """${schema["description"]}"""`, "");
  for (const [key, property] of properties) {
    if (property === tag?.[1]) continue;
    if (!required.includes(key)) throw new Error(`${name}.${key}: every field is always there on the wire.`);
    const { default: _, ...type } = property;
    lines.push(`    ${snake(key)}: ${typeOf(type, `${name}.${key}`)}${defaultOf(property, definitions)}`);
    if (typeof property["description"] === "string") lines.push(`    """${property["description"]}"""`);
  }
  if (lines.length === 1) lines.push("    pass");
  return lines.join("\n");
}

/** Python makes a class when it reads it, so that what it is one of comes before it. */
function basesFirst<T extends [string, JsonSchema]>(structs: readonly T[]): T[] {
  const bases = new Set(structs.map(([, schema]) => refName(schema["x-base"])));
  return [...structs.filter(([name]) => bases.has(name)), ...structs.filter(([name]) => !bases.has(name))];
}

export function emitPython(wire: JsonSchema, digest: string): string {
  const byName = wire["$defs"] as Record<string, JsonSchema>;
  const definitions = Object.entries(byName);
  // Aliases come last: fields name them in annotations, which Python reads only when it is asked to.
  const isStruct = (schema: JsonSchema) => schema["type"] === "object";
  const methods = Object.entries(wire["x-methods"] as Record<string, { params: string; result: string }>);
  return `"""The wire contract as msgspec Structs. Written by \`npm run generate\`; do not edit."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

CONTRACT_DIGEST = ${quoted(digest)}
"""sha256 of schemas/wire.schema.json: both sides must have the same."""

${basesFirst(definitions.filter(([, schema]) => isStruct(schema)))
  .map(([name, schema]) => structOf(name, schema, byName))
  .join("\n\n\n")}


${definitions
  .filter(([, schema]) => !isStruct(schema))
  .map(([name, schema]) => `${name}: TypeAlias = ${typeOf(schema, name)}`)
  .join("\n")}

METHODS: dict[str, tuple[type[Struct], type[Struct]]] = {
${methods.map(([method, { params, result }]) => `    ${quoted(method)}: (${refName(params)}, ${refName(result)}),`).join("\n")}
}
"""Method name to its params and its result."""
`;
}
