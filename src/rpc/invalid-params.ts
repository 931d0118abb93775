import { z } from "zod";
import { DepthkitError } from "../errors.ts";

/** Says of each option that the contract refuses where it is, what was given, and what is allowed. */
export function invalidParams(
  method: string,
  schema: z.ZodType,
  params: unknown,
  error: z.ZodError,
): DepthkitError {
  const faults = error.issues.map((issue) => describe(issue, schema, params));
  return new DepthkitError("INVALID_ARGUMENT", `${method}: ${faults.join(" ")}`, {
    cause: error,
    details: { method, paths: error.issues.map(({ path }) => path.join(".")) },
  });
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, params: unknown): string {
  const { path } = issue;
  const where = path.length === 0 ? "" : `${path.join(".")}: `;
  const given = shown(path.reduce(inside, params));
  if (issue.code === "unrecognized_keys") {
    const known = optionsAt(schema, path, params);
    const allowed = known.length > 0 ? `options: ${known.join(", ")}` : "it takes none";
    return `${where}there is no option ${issue.keys.map((key) => `"${key}"`).join(", ")}; ${allowed}.`;
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const at = schemaAt(schema, path.slice(0, -1), params);
    const names = at instanceof z.ZodDiscriminatedUnion ? namesOf(at, issue.discriminator) : [];
    return `${where}${given} is none of its ${issue.discriminator}s: ${names.join(", ")}.`;
  }
  if (issue.code === "custom" || issue.message.includes(given)) return `${where}${issue.message}`;
  return `${where}${issue.message}; got ${given}.`;
}

/** A value as a message quotes it: long ones by their beginning. */
function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
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
