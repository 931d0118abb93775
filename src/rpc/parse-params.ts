import { z } from "zod";
import {
  type Check,
  type Fault,
  faultsOfKnown,
  isObject,
  join,
  refuse,
  shown,
  unknownOptions,
} from "../options.ts";
import { workerCallChecks } from "./time-limit.ts";

/**
 * A value as its schema of the contract has it, defaults filled in.
 *
 * @throws DepthkitError INVALID_ARGUMENT that says of each fault where it is, what was given, and what is
 * allowed
 */
export function parseParams<S extends z.ZodType>(call: string, schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    refuse(call, faultsIn(parsed.error, schema, value, ""), parsed.error);
  }
  refuse(call, halfPairs(value, ""));
  return parsed.data as z.output<S>;
}

/**
 * Refuses options that break the schema they cross the wire by, or the checks of those that stay here.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function checkCallOptions(
  call: string,
  options: unknown,
  schema: z.ZodType,
  own: Readonly<Record<string, Check>> = workerCallChecks,
): void {
  refuse(call, faultsOfOptions(options, schema, own, ""));
}

/** The same as a check: options within what a call is given. */
export function optionsOf(schema: z.ZodType, own: Readonly<Record<string, Check>>): Check {
  return {
    allowed: "an object of options",
    holds: isObject,
    faults: (value, path) => faultsOfOptions(value, schema, own, path),
  };
}

/** A schema of the contract as a check; `also` names options that stand beside its own. */
export function fits(schema: z.ZodType, also: readonly string[] = []): Check {
  return {
    allowed: "what the contract says",
    holds: () => true,
    faults: (value, path) => {
      const { error } = schema.safeParse(value);
      return error ? faultsIn(error, schema, value, path, also) : halfPairs(value, path);
    },
  };
}

function faultsOfOptions(
  options: unknown,
  schema: z.ZodType,
  own: Readonly<Record<string, Check>>,
  path: string,
): readonly Fault[] {
  if (!isObject(options)) return [{ path, words: `expected an object of options; got ${shown(options)}.` }];
  const crossing = Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(own, name)));
  const { error } = schema.safeParse(crossing);
  return [
    ...(error ? faultsIn(error, schema, crossing, path, Object.keys(own)) : halfPairs(crossing, path)),
    ...faultsOfKnown(options, own, path),
  ];
}

function faultsIn(
  error: z.ZodError,
  schema: z.ZodType,
  value: unknown,
  under: string,
  also: readonly string[] = [],
): Fault[] {
  return error.issues.flatMap(inBranch).map((issue) => ({
    path: [under, ...issue.path].filter((part) => part !== "").join("."),
    words: describe(issue, schema, value, also),
  }));
}

/** Of a value that has one of several forms, what is wrong with it in the form that it is nearest to. */
function inBranch(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || issue.discriminator !== undefined) return [issue];
  const another = (issues: readonly z.core.$ZodIssue[], codes: readonly string[]) =>
    issues.some(({ code, path }) => path.length === 0 && codes.includes(code));
  const shaped = issue.errors.filter((issues) => !another(issues, ["invalid_type"]));
  const parts = shaped.filter((issues) => !another(issues, ["invalid_value"]));
  const [nearest] = (parts.length > 0 ? parts : shaped).sort((a, b) => a.length - b.length);
  if (nearest === undefined) return [issue];
  return nearest.flatMap((one) => inBranch({ ...one, path: [...issue.path, ...one.path] }));
}

/** Half a surrogate pair is no text: MessagePack would put another character in its place. */
function halfPairs(value: unknown, path: string): Fault[] {
  if (typeof value === "string") {
    if (value.isWellFormed()) return [];
    const at = value.search(/\p{Surrogate}/u);
    const words =
      `it holds half a surrogate pair at character ${at}, which is not text. ` +
      "It may have been cut in the middle of a character.";
    return [{ path, words }];
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  return Object.entries(value).flatMap(([key, one]) => halfPairs(one, join(path, key)));
}

function describe(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  params: unknown,
  also: readonly string[],
): string {
  const { path } = issue;
  const value = path.reduce(inside, params);
  const given = shown(value);
  if (issue.code === "unrecognized_keys") {
    const known = optionsAt(schema, path, params);
    return unknownOptions(issue.keys, path.length === 0 ? [...known, ...also] : known);
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const at = schemaAt(schema, path.slice(0, -1), params);
    const names = at instanceof z.ZodDiscriminatedUnion ? namesOf(at, issue.discriminator) : [];
    return `${given} is none of its ${issue.discriminator}s: ${names.join(", ")}.`;
  }
  if (issue.code === "invalid_union") {
    const meaning = schemaAt(schema, path, params)?.description;
    const forms = meaning === undefined ? "" : ` ${meaning}`;
    return value === undefined ? `it is missing.${forms}` : `${given} has none of its forms.${forms}`;
  }
  if (issue.code === "invalid_type" && issue.expected === "array" && typeof value === "string") {
    return `expected a list; got the string ${given}. Write [${given}].`;
  }
  if (issue.code === "custom" || issue.message.includes(given)) return issue.message;
  return `${issue.message}; got ${given}.`;
}

function inside(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<PropertyKey, unknown>>)[key]
    : undefined;
}

function optionsAt(schema: z.ZodType, path: readonly PropertyKey[], params: unknown): string[] {
  const found = schemaAt(schema, path, params);
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** The schema that a value within the params is checked by, whatever defaults and nulls stand around it. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[], params: unknown): z.ZodType | undefined {
  let value = params;
  let at: z.ZodType | undefined = bare(schema, value);
  for (const key of path) {
    value = inside(value, key);
    if (at instanceof z.ZodObject) at = (at.shape as Record<PropertyKey, z.ZodType | undefined>)[key];
    else if (at instanceof z.ZodArray) at = at.element as z.ZodType;
    else return undefined;
    at = at === undefined ? undefined : bare(at, value);
  }
  return at;
}

function bare(schema: z.ZodType, value: unknown): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodNullable || schema instanceof z.ZodReadonly) {
    return bare(schema.unwrap() as z.ZodType, value);
  }
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const { discriminator } = schema.def;
  const chosen = inside(value, discriminator);
  const option = (schema.options as z.ZodType[]).find((one) => nameOf(one, discriminator) === chosen);
  return option ?? schema;
}

function namesOf(union: z.ZodDiscriminatedUnion, discriminator: string): unknown[] {
  return (union.options as z.ZodType[]).map((option) => nameOf(option, discriminator));
}

function nameOf(option: z.ZodType, discriminator: string): unknown {
  const literal = option instanceof z.ZodObject ? option.shape[discriminator] : undefined;
  return literal instanceof z.ZodLiteral ? literal.value : undefined;
}
