import { z } from "zod";
import { type MethodName, methods } from "../protocol/methods.ts";
import { contract } from "../protocol/schema.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The names of a method's params that are handles, or lists of them. */
function handleFields(method: MethodName): readonly string[] {
  const { shape } = methods[method].params as z.ZodObject;
  return Object.keys(shape).filter((field) => isHandle(shape[field] as z.ZodType));
}

function isHandle(schema: z.ZodType): boolean {
  if (schema instanceof z.ZodReadonly) return isHandle(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodArray) return isHandle(schema.element as z.ZodType);
  // With a description of its own it is a schema made of the one that has the name.
  const parent = schema._zod.parent as z.ZodType | undefined;
  const { id } = contract.get(schema) ?? (parent && contract.get(parent)) ?? {};
  return id?.endsWith("Handle") ?? false;
}

const fields = Object.fromEntries(
  Object.keys(methods).map((method) => [method, handleFields(method as MethodName)]),
) as Record<MethodName, readonly string[]>;

/** Every handle that a call's params name. */
export function handlesIn(method: MethodName, params: object): string[] {
  return fields[method].flatMap((field) => (params as Fields)[field]).filter(isText);
}

/** The params with other handles in the places of these. */
export function withHandles<P extends object>(
  method: MethodName,
  params: P,
  instead: ReadonlyMap<string, string>,
): P {
  const swap = (value: unknown) => (isText(value) ? (instead.get(value) ?? value) : value);
  const swapped = fields[method].map((field) => {
    const value = (params as Fields)[field];
    return [field, Array.isArray(value) ? value.map(swap) : swap(value)];
  });
  return { ...params, ...Object.fromEntries(swapped.filter(([, value]) => value !== undefined)) };
}

const isText = (value: unknown): value is string => typeof value === "string";
